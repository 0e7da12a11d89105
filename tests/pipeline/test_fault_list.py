#!/usr/bin/env python3
"""campaign.fault_list: faults that are given, several words at once."""

import h5py
import numpy as np
import pipeline
from pipeline import DATA, IO, USAGE, PipelineTest, datasets, set_keys


class FaultList(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.out = cls.folder / "out"
        cls.options = set_keys(data__test_images=100, campaign__limit=600, campaign__evaluation="exact",
                               campaign__journal_seconds=0.1, device__threads=1)
        for stage in ("train", "inject"):
            cls.complete(stage, cls.job, "--out", cls.out, *cls.options)
        cls.list = cls.folder / "faults.csv"
        cls.first = cls.complete("inspect", cls.out / "campaign.h5", "--faults", cls.list)

    def inject(self, name, content, *more, ranks=0):
        file = self.folder / f"{name}.csv"
        file.write_text(content)
        keys = set_keys(model__file=self.out / "model.h5", campaign__fault_list=file, campaign__limit=0)
        self.complete("inject", self.job, "--out", self.folder / name, *self.options, *keys, *more, ranks=ranks)
        return datasets(self.folder / name / "campaign.h5")

    def test_the_list_of_a_campaign_gives_its_outcomes(self):
        self.assertEqual(self.list.read_text().splitlines()[0], "fault,layer,parameter,mask")
        before = datasets(self.out / "campaign.h5")
        after = self.inject("again", self.list.read_text(), ranks=3)
        self.assertEqual(len(after["/faults/layer"]), 600)
        place = {(layer, parameter, mask): row for row, (layer, parameter, mask) in enumerate(
            zip(*(before[f"/faults/{key}"].tolist() for key in ("layer", "parameter", "mask"))))}
        for row, site in enumerate(zip(*(after[f"/faults/{key}"].tolist() for key in ("layer", "parameter", "mask")))):
            twin = place[site]
            self.assertEqual(after["/sites/fault"][row], twin)
            for outcome in ("correct", "mismatches", "nonfinite", "drop"):
                self.assertEqual(after[f"/outcomes/{outcome}"][row], before[f"/outcomes/{outcome}"][twin])
        # The list of the list is the list, in the order of the layers.
        back = self.folder / "back.csv"
        self.complete("inspect", self.folder / "again" / "campaign.h5", "--faults", back)
        self.assertEqual(sorted(back.read_text().splitlines()), sorted(self.list.read_text().splitlines()))

    def test_rows_of_a_fault_strike_together(self):
        """A fault of two words is what the other word is to a network that has the first already."""
        first, second = "fc3,5,0x40000000", "conv1,7,0x20000000"
        columns = self.inject("together", f"fault,layer,parameter,mask\n# both\n1,{first}\n1,{second}\n\n2,{first}\n3,{second}\n")
        ids = columns["/sites/fault"].tolist()
        self.assertEqual(sorted(ids), [1, 1, 2, 3])
        rows = {fault: columns["/sites/row"][ids.index(fault)] for fault in (1, 2, 3)}
        changed = self.folder / "changed.h5"
        changed.write_bytes((self.out / "model.h5").read_bytes())
        with h5py.File(changed, "a") as model:
            weights = model["parameters/conv1.weight"]
            values = weights[:].ravel().view(np.uint32)
            values[7] ^= np.uint32(0x20000000)
            weights[:] = values.view(np.float32).reshape(weights.shape)
            model.attrs["model_sha256"] = np.bytes_("")
        self.complete("inspect", changed, "--seal")
        file = self.folder / "one.csv"
        file.write_text(f"fault,layer,parameter,mask\n1,{first}\n")
        self.complete("inject", self.job, "--out", self.folder / "one", *self.options,
                      *set_keys(model__file=changed, campaign__fault_list=file, campaign__limit=0))
        one = datasets(self.folder / "one" / "campaign.h5")
        for outcome in ("correct", "nonfinite"):
            self.assertEqual(columns[f"/outcomes/{outcome}"][rows[1]], one[f"/outcomes/{outcome}"][0], outcome)

    def test_it_is_part_of_the_job_and_no_sample(self):
        options = (*self.options, *set_keys(model__file=self.out / "model.h5", campaign__limit=0,
                                            campaign__fault_list=self.folder / "job.csv"))
        (self.folder / "job.csv").write_text("fault,layer,parameter,mask\n0,fc1,3,4\n")
        run = self.complete("run", self.job, "--out", self.folder / "job", *options)
        self.assertIn("its faults were listed (campaign.fault_list), not drawn", run.out)
        (self.folder / "job.csv").write_text("fault,layer,parameter,mask\n0,fc1,3,8\n")
        refused = self.run_flipstorm("inject", self.job, "--out", self.folder / "job", *options)
        self.assert_code(refused, USAGE)
        self.assertIn("made by another job", refused.err)
        status = self.complete("status", self.folder / "job")
        self.assertIn("1", status.out)

    def test_bad_lists_are_refused(self):
        header = "fault,layer,parameter,mask\n"
        for content, text in (
            ("", "lists no fault"),
            ("fault,layer,bit\n", "line 1: the header is 'fault,layer,bit'"),
            (header, "lists no fault"),
            (header + "0,fc9,1,1\n", "there is no layer 'fc9' to strike; did you mean 'fc1'?"),
            (header + "0,fc1,48000,1\n", "parameter 48000 of layer 'fc1', which has 48000"),
            (header + "0,fc1,-1,1\n", "parameter is '-1', which is no whole number"),
            (header + "0,fc1,1,0\n", "mask 0x0 of words of 32 bits"),
            (header + "0,fc1,1,0x100000000\n", "mask 0x100000000 of words of 32 bits"),
            (header + "0,fc1,1\n", "line 2: 3 columns"),
            (header + "x,fc1,1,1\n", "fault is 'x'"),
            (header + "\n0,fc1,1,1\n0,fc1,1,2\n", "line 4: fault 0 strikes parameter 1 of 'fc1' twice"),
        ):
            file = self.folder / "bad.csv"
            file.write_text(content)
            result = self.run_flipstorm("inject", self.job, "--out", self.folder / "bad", *self.options,
                                        *set_keys(model__file=self.out / "model.h5", campaign__fault_list=file,
                                                  campaign__limit=0))
            self.assert_code(result, DATA)
            self.assertIn(text, result.err)
        keys = set_keys(model__file=self.out / "model.h5", campaign__fault_list=self.folder / "none.csv", campaign__limit=0)
        self.assert_code(self.run_flipstorm("inject", self.job, "--out", self.folder / "bad", *self.options, *keys), IO)
        limited = self.run_flipstorm("inject", self.job, "--out", self.folder / "bad", *self.options, *keys[:4])
        self.assert_code(limited, USAGE)
        self.assertIn("campaign.fault_list says which bits of weights flip", limited.err)
        for file in (self.out / "model.h5", self.folder / "no.h5"):
            self.assert_code(self.run_flipstorm("inspect", file, "--faults", self.folder / "list.csv"), IO)


if __name__ == "__main__":
    pipeline.main()
