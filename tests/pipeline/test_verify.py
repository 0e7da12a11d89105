#!/usr/bin/env python3
"""harden's protected memory and verify: what upsets of it do, told twice, and by plain NumPy."""

import pathlib
import subprocess

import h5py
import numpy as np
import pipeline
from pipeline import DATA, IO, USAGE, PipelineTest, datasets, set_keys

LAYERS = ("conv1", "conv2", "fc1", "fc2", "fc3")


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


class Verify(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.out = cls.folder / "out"
        cls.options = set_keys(model__format="fxp8", data__test_images=60, campaign__limit=3000, campaign__journal_seconds=0.1,
                               campaign__evaluation="exact", campaign__ber=[1e-6, 1e-4, 1e-2], campaign__trials=6,
                               harden__max_residual=0.005, harden__max_change=0, harden__verify="true", verify__limit=4000,
                               verify__images=50, device__threads=1)
        cls.first = cls.complete("run", cls.job, "--out", cls.out, *cls.options)
        cls.campaign = cls.out / "verify" / "campaign.h5"
        cls.memory = cls.out / "verify" / "memory.h5"

    def plan(self):
        columns = datasets(self.out / "protected.h5")
        return {text(name): {key.split("/")[-1]: values[row] for key, values in columns.items() if key.startswith("/plan/")}
                for row, name in enumerate(columns["/plan/layer"])}

    def test_the_memory_is_that_of_the_model(self):
        """Stored words, with the copies of their signs put in, are the model's: this plan changes none."""
        stored = datasets(self.out / "protected.h5")
        copied = 0
        for name, plan in self.plan().items():
            with h5py.File(self.out / "model.h5") as model:
                golden = model[f"codes/{name}.weight"][:].ravel()
            words = stored[f"/words/{name}"]
            copies = np.uint8(plan["copies"])
            self.assertEqual((plan["forced"], plan["change"]), (0, 0))
            read = np.where(words >> 7, words | copies, words & ~copies)
            np.testing.assert_array_equal(read, golden, name)
            copied += int(copies != 0)
            beside = stored[f"/checks/{name}"]
            width = h5py.File(self.out / "protected.h5")[f"checks/{name}"].attrs["bits"]
            self.assertEqual(len(beside) * width, plan["extra_bits"])
            self.assertFalse((beside >> np.uint64(width)).any())
        print(f"{copied} layers with copies of the sign")

    def test_upsets_do_what_the_plan_says(self):
        columns = datasets(self.campaign)
        parts = [text(name) for name in columns["/layers/name"]]
        plans = self.plan()
        golden = h5py.File(self.campaign).attrs["golden_correct"]
        open_words = {name: [] for name in LAYERS}
        for row in range(len(columns["/faults/layer"])):
            part = parts[columns["/faults/layer"][row]]
            name, _, check = part.partition(":")
            self.assertEqual(columns["/faults/region"][row], 1 if check else 0)
            plan = plans[name]
            bit = int(columns["/faults/bit"][row])
            covered = bool(check) or bool(int(plan["covered"]) >> bit & 1)
            read = not check and not (int(plan["covered"]) | int(plan["copies"])) >> bit & 1
            in_word = not check and int(plan["check_places"]) >> bit & 1
            corrected = columns["/outcomes/corrected"][row]
            self.assertEqual(columns["/outcomes/detected"][row], 0)
            self.assertEqual(columns["/faults/word"][row], columns["/faults/parameter"][row])
            same = columns["/faults/value_before"][row] == columns["/faults/value_after"][row]
            if covered:
                self.assertEqual(corrected, 1, f"{part} bit {bit}")
            elif not in_word:
                self.assertEqual(corrected, 0, f"{part} bit {bit}")
            self.assertEqual(read, not same, f"{part} bit {bit}")
            if not read:
                self.assertEqual(columns["/outcomes/correct"][row], golden)
                self.assertEqual(columns["/outcomes/mismatches"][row], 0)
            else:
                open_words[name].append(row)
        # A weight that reads otherwise is that of an ordinary campaign, with the words that the memory reads.
        self.assertGreater(sum(map(len, open_words.values())), 100)
        self.assertIn("Verification:", self.first.out)
        self.assertIn("Whole memories under a bit error rate", self.first.out)

    def test_open_upsets_are_faults_of_weights(self):
        """The same bits struck by a campaign in weights."""
        columns = datasets(self.campaign)
        whole = self.folder / "whole"
        self.complete("inject", self.job, "--out", whole, *self.options,
                      *set_keys(model__file=self.out / "model.h5", campaign__exhaustive="true", campaign__limit=0,
                                campaign__layers=["conv1", "conv2", "fc3"]))
        other = datasets(whole / "campaign.h5")
        names = [text(name) for name in other["/layers/name"]]
        known = {(names[layer], parameter, bit): row for row, (layer, parameter, bit) in enumerate(
            zip(*(other[f"/faults/{key}"].tolist() for key in ("layer", "parameter", "bit"))))}
        parts = [text(name) for name in columns["/layers/name"]]
        compared = 0
        for row in range(len(columns["/faults/layer"])):
            if columns["/faults/value_before"][row] == columns["/faults/value_after"][row]:
                continue
            site = (parts[columns["/faults/layer"][row]], columns["/faults/parameter"][row], columns["/faults/bit"][row])
            if site not in known:
                continue
            twin = known[site]
            compared += 1
            for outcome in ("correct", "mismatches", "nonfinite", "drop"):
                self.assertEqual(columns[f"/outcomes/{outcome}"][row], other[f"/outcomes/{outcome}"][twin], site)
        self.assertGreater(compared, 20)

    def test_whole_memories(self):
        columns = datasets(self.memory)
        with h5py.File(self.memory) as file:
            bits, golden, images = file.attrs["bits"], file.attrs["golden_correct"], file.attrs["images"]
        self.assertEqual(images, 50)
        self.assertEqual(bits[0], 61470 * 8)
        self.assertEqual(len(columns["/trials/rate"]), 3 * 2 * 6)
        for side in (0, 1):
            for rate, ber in enumerate(columns["/ber"]):
                rows = (columns["/trials/rate"] == rate) & (columns["/trials/protected"] == side)
                self.assertEqual(rows.sum(), 6)
                expected = ber * bits[side]
                self.assertLess(abs(columns["/trials/upsets"][rows].mean() - expected), 6 * (expected / 6) ** 0.5 + 1)
        idle = columns["/trials/changed"] == 0
        self.assertTrue((columns["/trials/correct"][idle] == golden[columns["/trials/protected"][idle]]).all())
        worst = columns["/trials/rate"] == 2
        plain = columns["/trials/correct"][worst & (columns["/trials/protected"] == 0)].mean()
        self.assertLess(plain, 0.6 * golden[0])

    def test_again_it_is_done_already(self):
        again = self.complete("verify", self.job, "--out", self.out, *self.options)
        self.assertIn("verify/campaign.h5 is there and up to date", again.err)
        self.assertIn("verify/memory.h5 is there and up to date", again.err)
        # The tables are those of the run.
        self.assertIn(again.out, self.first.out)

    def test_what_changes_is_done_anew_and_nothing_else(self):
        out = self.folder / "changes"
        pipeline.copy_folder(self.out, out)
        # More memories and another rate: those that are done stay.
        more = set_keys(campaign__trials=7, campaign__ber=[1e-5, 1e-4, 1e-2])
        again = self.complete("verify", self.job, "--out", out, *self.options, *more)
        self.assertIn("verify/campaign.h5 is there and up to date", again.err)
        self.assertIn("upsetting 42 whole memories, 24 of them done before", again.err)
        before, after = datasets(self.memory), datasets(out / "verify" / "memory.h5")
        for side in (0, 1):
            for path in ("/trials/upsets", "/trials/correct"):
                of = [columns[path][(columns["/trials/rate"] == 1) & (columns["/trials/protected"] == side)]
                      for columns in (before, after)]
                np.testing.assert_array_equal(of[0], of[1][:6])
        # An environment that leaves the plan as it is leaves its proof.
        there = set_keys(environment__fit_per_mbit=600)
        run = self.complete("run", self.job, "--out", out, *self.options, *more, *there)
        self.assertIn("verify/campaign.h5 is there and up to date", run.err)
        self.assertIn("Failures in time at 600 FIT/Mbit", run.out)
        self.assertIn("Verification:", run.out)
        # Another plan is another memory: the report does not take the old proof for it, and verify makes a new one.
        other = set_keys(harden__max_residual=0)
        self.complete("harden", self.job, "--out", out, *self.options, *other)
        report = self.complete("report", self.job, "--out", out, *self.options, *other)
        self.assertIn("is no proof of this protection", report.err)
        self.assertNotIn("Verification:", report.out)
        anew = self.complete("verify", self.job, "--out", out, *self.options, *other)
        self.assertIn("is about another memory than that of protected.h5: done anew", anew.err)
        self.assertIn("Verification:", anew.out)

    def test_upsets_of_several_bits(self):
        """Neighbours in one code word are more than it corrects: several words may read otherwise at once."""
        out = self.folder / "several"
        keys = set_keys(campaign__target="protected", campaign__protected=self.out / "protected.h5",
                        campaign__fault_model="adjacent_bits", campaign__limit=1500, campaign__scheme="network_wise",
                        model__file=self.out / "model.h5")
        self.complete("inject", self.job, "--out", out, *self.options, *keys)
        self.complete("inject", self.job, "--out", self.folder / "several3", *self.options, *keys, ranks=3)
        self.assert_same_datasets(self.folder / "several3" / "campaign.h5", out / "campaign.h5")
        columns = datasets(out / "campaign.h5")
        changed, detected = columns["/outcomes/changed"], columns["/outcomes/detected"]
        self.assertGreater((changed == 1).sum(), 100)
        self.assertTrue(((columns["/outcomes/mismatches"] == 0) | (changed > 0)).all())
        self.assertGreater((detected + columns["/outcomes/corrected"]).sum(), 10)
        self.complete("report", self.job, "--out", out, *self.options, *keys)

    def test_bits_given_up_change_the_network(self):
        """fp32 with its lowest bits given up: the golden network of verify is that of the memory."""
        out = self.folder / "given"
        keys = set_keys(model__format="fp32", harden__max_change=0.05, harden__max_residual=0, verify__limit=800,
                        campaign__ber=[], harden__ber=0.0005)
        run = self.complete("run", self.job, "--out", out, *self.options, *keys)
        columns = datasets(out / "verify" / "campaign.h5")
        closed = columns["/outcomes/changed"] == 0
        self.assertGreater(closed.sum(), 400)
        self.assertTrue((columns["/outcomes/mismatches"][closed] == 0).all())
        self.assertIn("Accuracy without an", run.out)

    def test_ranks_and_kills(self):
        out = self.folder / "ranks"
        pipeline.copy_folder(self.out, out)
        subprocess.run(["rm", "-r", out / "verify"], check=True)
        arguments = ("verify", self.job, "--out", out, *self.options)
        for done in (lambda: pipeline.segments(out / "verify"), lambda: list((out / "verify").glob("memory-journal/*"))):
            run = self.start(*arguments, ranks=2)
            run.wait_for(done)
            run.kill()
            run.wait()
        self.complete(*arguments, ranks=3)
        self.assert_same_datasets(out / "verify" / "campaign.h5", self.campaign)
        found, expected = datasets(out / "verify" / "memory.h5"), datasets(self.memory)
        for path in expected:
            self.assertEqual(found[path].tobytes(), expected[path].tobytes(), path)

    def test_other_schemes(self):
        out = self.folder / "schemes"
        pipeline.copy_folder(self.out, out)
        subprocess.run(["rm", "-r", out / "verify"], check=True)
        few = set_keys(campaign__ber=[], verify__limit=600)
        of_words = self.complete("run", self.job, "--out", out, *self.options, *few,
                                 *set_keys(harden__options=["none", "sec_64"]))
        self.assertIn("corrected", of_words.out)
        columns = datasets(out / "verify" / "campaign.h5")
        self.assertTrue((columns["/outcomes/corrected"] == 1).all())
        self.assertTrue((columns["/outcomes/drop"] == 0).all())
        self.assertEqual(columns["/layers/name"].tolist()[-1], b"fc3:check")
        # Words under a code and words that are not lie in one layer: there is no memory to strike.
        self.complete("harden", self.job, "--out", out, *self.options, *set_keys(harden__options=["sec_critical"]))
        self.assertFalse((out / "protected.h5").exists())
        refused = self.run_flipstorm("verify", self.job, "--out", out, *self.options)
        self.assert_code(refused, DATA)
        self.assertIn('put "optimized" among harden.options', refused.err)

    def test_bad_input(self):
        out = self.folder / "bad"
        pipeline.copy_folder(self.out, out)
        memory = out / "protected.h5"
        whole = memory.read_bytes()
        arguments = ("verify", self.job, "--out", out, *self.options, "--fresh")
        for spoil in (whole[:2000], b"", whole[:3000] + bytes([whole[3000] ^ 1]) + whole[3001:]):
            memory.write_bytes(spoil)
            result = self.run_flipstorm(*arguments)
            self.assert_code(result, IO)
            self.assertIn("protected.h5", result.err)
        memory.write_bytes(whole)
        refused = self.run_flipstorm("inject", self.job, "--out", self.folder / "none", *self.options,
                                     *set_keys(campaign__target="protected"))
        self.assert_code(refused, USAGE)
        self.assertIn("needs campaign.protected", refused.err)
        refused = self.run_flipstorm("verify", self.job, "--out", self.folder / "none", *self.options,
                                     *set_keys(campaign__target="feature_maps", campaign__scheme="layer_wise"))
        self.assert_code(refused, USAGE)
        # A memory of another network.
        other = set_keys(campaign__target="protected", campaign__protected=memory, job__seed=5)
        self.complete("train", self.job, "--out", self.folder / "five", *set_keys(job__seed=5, model__format="fxp8"))
        refused = self.run_flipstorm("inject", self.job, "--out", self.folder / "five", *self.options, *other)
        self.assert_code(refused, DATA)
        self.assertIn("the memory of another network", refused.err)


if __name__ == "__main__":
    pipeline.main()
