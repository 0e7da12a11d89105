#!/usr/bin/env python3
"""The program flipstorm-analysis on files of a campaign that it did not make: those of old_files/README.md."""

import json
import pathlib
import shutil
import subprocess

import numpy as np
import pipeline
from pipeline import DATA, IO, USAGE, PipelineTest, datasets, set_keys

COMMANDS = "forest, harden, report, status, inspect"


class Analysis(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.old = pipeline.unpack_old_files(cls.folder)
        cls.job = cls.old / "job.toml"
        cls.out = cls.folder / "out"
        cls.keys = set_keys(model__file=cls.old / "model.h5", forest__campaign=cls.old / "screened" / "campaign.h5")
        for stage in ("forest", "harden"):
            cls.complete(stage, cls.job, "--out", cls.out, *cls.keys)
        cls.report = cls.complete("report", cls.job, "--out", cls.out, *cls.keys)

    def test_no_libtorch(self):
        self.assertEqual(pipeline.torch_libraries(self.flipstorm), [])
        self.assertTrue(self.complete("--version").out.startswith("flipstorm-analysis "))

    def test_has_the_commands_that_need_none(self):
        refused = self.run_flipstorm("inject", self.job)
        self.assert_code(refused, USAGE)
        self.assertIn(f"flipstorm-analysis has no command 'inject'; it has: {COMMANDS}\n", refused.err)
        self.assert_code(self.run_flipstorm("forest", self.job, "--dry-run"), USAGE)
        text = self.complete("--help").out
        for command in COMMANDS.split(", "):
            self.assertRegex(text, rf"\n  {command} ")
        self.assertNotIn("\n  run ", text)

    def test_forest_and_protection_are_those_of_flipstorm(self):
        own = self.folder / "own"
        for stage in ("forest", "harden"):
            flipstorm = pathlib.Path(self.flipstorm).with_name("flipstorm")
            subprocess.run([flipstorm, stage, self.job, "--out", own, *self.keys], check=True, capture_output=True)
        for name in ("forest.h5", "protection.h5"):
            found, expected = datasets(self.out / name), datasets(own / name)
            self.assertEqual(sorted(found), sorted(expected))
            for path, value in expected.items():
                self.assertTrue(found[path].tobytes() == value.tobytes(), f"{path} of {name}")
        again = self.complete("forest", self.job, "--out", self.out, *self.keys)
        self.assertIn("forest.h5 is there and up to date", again.err)

    def test_several_ranks(self):
        kinds = set_keys(forest__kind=["rf", "brf"], forest__trees=30)
        one = self.folder / "one"
        self.complete("forest", self.job, "--out", one, *self.keys, *kinds)
        expected = datasets(one / "forest.h5")
        self.assertIn("/compare/brf/scores/auc_folds", expected)
        self.assertIn("/compare/table/scores/auc_folds", expected)
        for ranks in (2, 4):
            out = self.folder / f"ranks{ranks}"
            self.complete("forest", self.job, "--out", out, *self.keys, *kinds, ranks=ranks)
            found = datasets(out / "forest.h5")
            self.assertEqual(sorted(found), sorted(expected))
            for path, value in expected.items():
                self.assertTrue(found[path].tobytes() == value.tobytes(), path)
            self.assertFalse((out / "forest-journal").exists())

    def test_reports(self):
        for text in ("Table I:", "Table II:", "Table III:", "960 faults on 120 test images"):
            self.assertIn(text, self.report.out)
        out = pipeline.copy_folder(self.old / "maps", self.folder / "maps")
        keys = set_keys(campaign__target="feature_maps", campaign__scheme="layer_wise")
        self.assertIn("tolerable", self.complete("report", self.job, "--out", out, *keys).out)
        self.assertTrue((out / "report.html").is_file())

    def test_status_and_inspect(self):
        for name, target in (("screened", "weights"), ("maps", "feature_maps")):
            seen = json.loads(self.complete("status", self.old / name, "--json").out)
            self.assertEqual((seen["state"], seen["target"], seen["trouble"]), ("complete", target, []))
            listing = self.complete("inspect", self.old / name / "campaign.h5").out
            for path in datasets(self.old / name / "campaign.h5"):
                self.assertIn(path, listing)

    def test_what_is_wrong_is_told(self):
        empty = self.folder / "empty"
        result = self.run_flipstorm("forest", self.job, "--out", empty)
        self.assert_code(result, IO)
        self.assertIn("'flipstorm inject' makes it", result.err)
        other = self.folder / "other"
        shutil.copytree(self.out, other)
        with pipeline.edited(other / "forest.h5") as file:
            file.attrs["campaign_sha256"] = np.bytes_("of another")
        result = self.run_flipstorm("harden", self.job, "--out", other, *self.keys)
        self.assert_code(result, DATA)
        self.assertIn("was trained on another campaign", result.err)


if __name__ == "__main__":
    pipeline.main()
