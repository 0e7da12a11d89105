#!/usr/bin/env python3
"""Campaigns of faults in feature maps and in instructions: ranks, resume, report, and PyTorch's word on them."""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

import h5py
import numpy as np
import pipeline
from pipeline import IO, STOPPED, USAGE, PipelineTest, segments, set_keys

needs_torch = unittest.skipIf(importlib.util.find_spec("torch") is None, "needs PyTorch; apt install python3-torch")

CAMPAIGNS = {
    "maps": {"campaign__target": "feature_maps", "transient__magnitude": 5},
    "diehardnet": {"campaign__target": "feature_maps", "transient__rules": "diehardnet",
                   "transient__images_per_fault": 4},
    "scattered": {"campaign__target": "feature_maps", "campaign__scheme": "network_wise",
                  "transient__layers_by": "macs", "transient__geometry": "[random, row, column, channel]",
                  "transient__value": "power_law", "transient__power_law": "imad_common",
                  "transient__combine": "relative"},
    "flips": {"campaign__target": "instructions"},
    "warps": {"campaign__target": "instructions", "transient__instruction": "warp_random_value",
              "campaign__scheme": "network_wise"},
}


class Transient(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.folder / "data"
        pipeline.write_idx_dataset(cls.data)
        cls.options = set_keys(data__kind="idx", data__path=cls.data, train__epochs=2, campaign__limit=400)
        cls.complete("train", cls.job, "--out", cls.folder / "model", *cls.options)
        cls.model = cls.folder / "model" / "model.h5"
        cls.options += set_keys(model__file=cls.model, campaign__scheme="layer_wise")
        for name, keys in CAMPAIGNS.items():
            cls.complete("inject", cls.job, "--out", cls.folder / name, *cls.options, *set_keys(**keys))
            shutil.copy(cls.model, cls.folder / name)

    def same(self, out, name):
        found, expected = (pipeline.datasets(folder / "campaign.h5") for folder in (out, self.folder / name))
        self.assertEqual(sorted(found), sorted(expected))
        for path, value in expected.items():
            self.assertTrue(found[path].tobytes() == value.tobytes(), f"{path} of {out}")

    def test_ranks_and_threads_do_not_matter(self):
        for name in ("diehardnet", "warps"):
            for ranks, threads in ((2, 1), (3, 2)):
                out = self.folder / f"{name}-{ranks}"
                self.complete("inject", self.job, "--out", out, *self.options, *set_keys(**CAMPAIGNS[name]),
                              *set_keys(device__threads=threads), ranks=ranks)
                self.same(out, name)

    def test_a_killed_campaign_goes_on(self):
        keys = {**CAMPAIGNS["flips"], "campaign__limit": 8000, "campaign__journal_seconds": 0}
        arguments = ["inject", self.job, *self.options, *set_keys(**keys)]
        whole = self.folder / "flips-whole"
        self.complete(*arguments, "--out", whole)
        out = self.folder / "flips-killed"
        self.assertTrue(self.kill_at_first_segment(out, *arguments, ranks=2), "it ended before it could be killed")
        self.assertEqual(self.run_flipstorm(*arguments, "--out", out, "--deadline", 1).code, STOPPED)
        before = len(segments(out))
        self.assertGreater(before, 0)
        result = self.complete(*arguments, "--out", out)
        self.assertRegex(result.err, r"journal: [1-9]\d* of \d+ chunks are done already")
        self.same(out, "flips-whole")

    def test_outcome_classes_and_report(self):
        for name, keys in CAMPAIGNS.items():
            columns = pipeline.datasets(self.folder / name / "campaign.h5")
            outcome = {path.rpartition("/")[2]: columns[path] for path in columns if path.startswith("/outcomes/")}
            images = keys.get("transient__images_per_fault", 1)
            self.assertTrue((outcome["evaluated"] == images).all())
            self.assertTrue(
                (outcome["masked"] + outcome["tolerable"] + outcome["mismatches"] == outcome["evaluated"]).all())
            self.assertGreater(outcome["tolerable"].sum(), 0, name)
            self.assertGreater(outcome["mismatches"].sum(), 0, name)
            result = self.complete("run", self.job, "--out", self.folder / name, *self.options, *set_keys(**keys))
            self.assertIn("forest and harden are for faults in weights", result.err)
            self.assertIn("critical SDC %", result.out)
            self.assertEqual(len(result.out.split("* network")), 2, result.out)
            self.assertIn("regret", (self.folder / name / "report.html").read_text())
            # AVF of a layer, by hand.
            rows = columns["/faults/layer"] == 1
            share = 100 * outcome["mismatches"][rows].sum() / outcome["evaluated"][rows].sum()
            line = next(line for line in result.out.splitlines() if line.split()[:1] == ["conv2"]).split()
            self.assertAlmostEqual(float(line[7]), share, delta=0.006)
        self.assertGreater(pipeline.datasets(self.folder / "flips" / "campaign.h5")["/outcomes/masked"].sum(), 0)

    def test_injections_strike_every_image_so_often(self):
        out = self.folder / "five"
        keys = {**CAMPAIGNS["maps"], "campaign__limit": 0, "campaign__scheme": "network_wise",
                "transient__injections": 5}
        plan = self.complete("plan", self.job, "--out", out, *self.options, *set_keys(**keys))
        self.assertIn("3,000 inferences under a fault (5.0 per image)", plan.out)
        self.complete("inject", self.job, "--out", out, *self.options, *set_keys(**keys))
        layers = pipeline.datasets(out / "campaign.h5")
        self.assertEqual(len(layers["/faults/image"]), 3000)
        hits = np.bincount(layers["/faults/image"].reshape(-1), minlength=600)
        self.assertTrue(hits.min() >= 0 and abs(hits.mean() - 5) < 1e-9 and hits.std() < 2, hits)

    def test_a_table_of_errors(self):
        table = self.folder / "errors.csv"
        table.write_text("value,weight\n2.5,1\n-4,3\n")
        keys = {"campaign__target": "feature_maps", "transient__value": "table", "transient__table": table}
        self.complete("inject", self.job, "--out", self.folder / "table", *self.options, *set_keys(**keys))
        values = pipeline.datasets(self.folder / "table" / "campaign.h5")["/faults/value"]
        self.assertEqual(set(values.tolist()), {2.5, -4.0})
        self.assertAlmostEqual((values == -4).mean(), 0.75, delta=0.09)
        # Other values are another campaign.
        table.write_text("2.5\n")
        result = self.run_flipstorm("inject", self.job, "--out", self.folder / "table", *self.options, *set_keys(**keys))
        self.assert_code(result, USAGE)
        self.assertIn("was made by another job", result.err)
        table.write_text("2.5\nmuch\n")
        result = self.run_flipstorm("plan", self.job, "--out", self.folder / "x", *self.options, *set_keys(**keys))
        self.assert_code(result, pipeline.DATA)
        self.assertIn("line 2: 'much'", result.err)

    def test_stages_for_weights_refuse(self):
        arguments = [self.job, "--out", self.folder / "flips", *self.options]
        for stage in ("forest", "harden"):
            result = self.run_flipstorm(stage, *arguments, *set_keys(**CAMPAIGNS["flips"]))
            self.assert_code(result, USAGE)
            self.assertIn("is for faults in weights", result.err)
        result = self.run_flipstorm("forest", self.job, "--out", self.folder / "other", *self.options,
                                    *set_keys(forest__campaign=self.folder / "flips" / "campaign.h5"))
        self.assert_code(result, IO)
        self.assertIn("holds faults in instructions", result.err)

    def test_bench(self):
        for name in CAMPAIGNS:
            file = self.folder / f"bench-{name}.json"
            options = [*self.options, "--seconds", 1, "--faults", 40, "--json", file, *set_keys(**CAMPAIGNS[name])]
            text = self.complete("bench", self.job, "--out", self.folder / name, *options).out
            self.assertIn("Agreement: of ", text)
            result = json.loads(file.read_text())
            reference, exact = result["modes"]
            self.assertEqual([reference["mode"], exact["mode"]], ["reference", "exact"])
            for mode in result["modes"]:
                self.assertEqual(mode["masked"] + mode["tolerable"] + mode["critical"] + mode["nonfinite"], mode["images"])
                self.assertGreater(mode["campaign_seconds"], 0)
            self.assertEqual(reference["finished"], reference["images"])
            agreement = result["agreement"][0]
            self.assertEqual(agreement["faults"], sum(min(pair) for pair in zip(reference["faults"], exact["faults"])))
            # Near-ties apart.
            self.assertGreaterEqual(agreement["equal"], agreement["faults"] - 2)
        alone = self.run_flipstorm("bench", self.job, "--out", self.folder / name, *self.options, "--modes", "screened",
                                   *set_keys(**CAMPAIGNS[name]))
        self.assert_code(alone, USAGE)
        self.assertIn("are not screened", alone.err)

    def check(self, out, faults):
        script = pathlib.Path(__file__).with_name("check_transient_with_pytorch.py")
        done = subprocess.run([sys.executable, "-B", script, out, self.data, "--faults", str(faults)],
                              env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
                              timeout=300, check=False)
        print(done.stdout + done.stderr)
        return done.returncode, done.stdout + done.stderr

    @needs_torch
    def test_pytorch_agrees(self):
        for name in CAMPAIGNS:
            code, text = self.check(self.folder / name, 250)
            self.assertEqual(code, 0, text)
            self.assertIn(" 0 wrong", text)
            excused = int(text.split(" near-ties, ")[0].split()[-1])
            self.assertLessEqual(excused, 4, text)

    @needs_torch
    def test_the_check_finds_what_is_wrong(self):
        for name, path, by in (("maps", "/faults/value", 3), ("maps", "/outcomes/mismatches", 1),
                               ("scattered", "/faults/image", 1), ("flips", "/outcomes/masked", 1),
                               ("warps", "/faults/value", 1000)):
            out = self.folder / f"wrong-{name}{path.replace('/', '-')}"
            shutil.copytree(self.folder / name, out)
            with h5py.File(out / "campaign.h5", "r+") as file:
                column = file[path]
                column[...] = (column[...] + by) % 600 if path.endswith("image") else column[...] + by
            code, text = self.check(out, 60)
            self.assertEqual(code, 1, f"{name} {path}\n{text}")
            self.assertIn("WRONG", text)


if __name__ == "__main__":
    pipeline.main()
