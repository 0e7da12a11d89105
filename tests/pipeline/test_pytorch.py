#!/usr/bin/env python3
"""A campaign on an IDX data set, checked by check_with_pytorch.py; and that check finds what is wrong."""

import importlib.util
import shutil
import sys

import h5py
import pipeline
from pipeline import PipelineTest, check_with_pytorch


class PyTorch(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.folder / "data"
        cls.out = cls.folder / "out"
        pipeline.write_idx_dataset(cls.data)
        cls.complete(
            "run", cls.job, "--out", cls.out,
            *pipeline.set_keys(data__kind="idx", data__path=cls.data, train__epochs=3, campaign__limit=640),
        )

    def changed_copy(self, name, change):
        folder = self.folder / name
        folder.mkdir()
        for file in ("model.h5", "campaign.h5"):
            shutil.copy(self.out / file, folder)
        change(folder)
        return folder

    def agrees(self, faults, *options):
        code, text = check_with_pytorch(self.out, self.data, faults, *options)
        print(text)
        self.assertEqual(code, 0, text)
        self.assertIn(f"equal of {faults}\n", text)
        return text

    def test_pytorch_agrees_on_random_faults(self):
        self.agrees(200)

    def test_pytorch_agrees_on_faults_with_an_effect(self):
        text = self.agrees(50, "--effect")
        self.assertNotIn(" 0 do,", text, "no fault that changes a prediction was checked")
        self.assertNotIn(" 0 stopped", text, "no fault that was stopped early was checked")

    def test_the_check_finds_what_is_wrong(self):
        def shift(file, path, by, where=None):
            def change(folder):
                with h5py.File(folder / file, "r+") as opened:
                    selected = opened[where][...] == 1 if where else slice(None)
                    opened[path][selected] += by

            return change

        def attribute(file, name, value):
            def change(folder):
                with h5py.File(folder / file, "r+") as opened:
                    opened.attrs.modify(name, value)

            return change

        for name, change, finding in (
            ("counts", shift("campaign.h5", "/outcomes/mismatches", 1), "mismatches"),
            ("stopped", shift("campaign.h5", "/outcomes/nonfinite", 1, where="/outcomes/stopped"), "nonfinite"),
            ("values", shift("campaign.h5", "/faults/value_before", 1), "value_before"),
            ("channels", shift("campaign.h5", "/faults/in_channel", 1), "channels"),
            ("margins", shift("campaign.h5", "/golden/margin", 2e-4), "margin"),
            ("weights", shift("model.h5", "/parameters/fc3.bias", range(10)), "accuracy"),
            ("accuracy", attribute("model.h5", "test_accuracy", 0.5), "accuracy"),
        ):
            with self.subTest(name):
                code, text = check_with_pytorch(self.changed_copy(name, change), self.data, 40, "--effect")
                self.assertEqual(code, 1, text)
                self.assertRegex(text, f"WRONG.*{finding}")


if __name__ == "__main__":
    if importlib.util.find_spec("torch") is None:
        print("skipped: needs PyTorch; Debian: apt install python3-torch")
        sys.exit(77)
    pipeline.main()
