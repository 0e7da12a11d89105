#!/usr/bin/env python3
"""forest --validate: faults that the campaign does not have, and what they say of its map."""

import pathlib
import subprocess

import h5py
import numpy as np
import pipeline
from pipeline import DATA, USAGE, PipelineTest, datasets, set_keys

FAULTS = 1500


class Validate(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.out = cls.folder / "out"
        cls.options = set_keys(data__test_images=200, campaign__scheme="layer_wise", campaign__limit=3000,
                               campaign__journal_seconds=0.1, device__threads=1)
        for stage in ("train", "inject"):
            cls.complete(stage, cls.job, "--out", cls.out, *cls.options)
        cls.first = cls.complete("forest", cls.job, "--out", cls.out, *cls.options, "--validate", FAULTS)
        cls.campaign = cls.out / "validation" / str(FAULTS) / "campaign.h5"

    @staticmethod
    def sites(file):
        columns = datasets(file)
        return set(zip(*(columns[f"/faults/{name}"].tolist() for name in ("layer", "parameter", "bit"))))

    def scores(self, file=None):
        with h5py.File(file or self.out / "forest.h5") as forest:
            group = forest["validation"]
            names = group["score"].asstr()[:]
            return {name: {column: group[column][i] for column in ("value", "low", "high", "table")}
                    for i, name in enumerate(names)}, dict(group["score"].attrs)

    def test_its_faults_are_new_and_its_scores_a_plain_count(self):
        fresh = self.sites(self.campaign)
        self.assertEqual(len(fresh), FAULTS)
        self.assertFalse(fresh & self.sites(self.out / "campaign.h5"))
        columns = datasets(self.campaign)
        drop = columns["/outcomes/drop"] > 0.01 + 1e-9
        with h5py.File(self.out / "forest.h5") as forest:
            votes, probability = [], []
            for layer, parameter, bit in zip(*(columns[f"/faults/{name}"] for name in ("layer", "parameter", "bit"))):
                name = columns["/layers/name"][layer]
                name = name.decode() if isinstance(name, bytes) else name
                votes.append(forest[f"criticality/{name}"][parameter, bit] / 255)
                probability.append(forest["calibration/probability"][int(forest[f"level/{name}"][parameter, bit])])
        votes, probability = np.array(votes), np.array(probability)
        scores, attributes = self.scores()
        self.assertEqual(attributes["faults"], FAULTS)
        self.assertEqual(attributes["critical"], drop.sum())
        flagged = votes >= 0.5
        expected = {
            "flagged": flagged.mean(),
            "critical": drop.mean(),
            "recall": flagged[drop].mean(),
            "missed": 1 - flagged[drop].mean(),
            "precision": drop[flagged].mean(),
            "expected_critical": probability.mean(),
            "brier": ((probability - drop) ** 2).mean(),
        }
        for name, value in expected.items():
            self.assertAlmostEqual(scores[name]["value"], value, 9, name)
            self.assertLessEqual(scores[name]["low"], value + 1e-12)
            self.assertGreaterEqual(scores[name]["high"], value - 1e-12)
        self.assertGreater(scores["auc"]["value"], 0.9)
        self.assertIn("The map judged by 1,500 other faults", self.first.out)

    def test_again_it_is_done_already_and_the_forest_stays(self):
        before = datasets(self.out / "forest.h5")
        again = self.complete("forest", self.job, "--out", self.out, *self.options, "--validate", FAULTS)
        self.assertIn("is judged by", again.err)
        self.assertIn("campaign.h5 is there and up to date", again.err)
        self.assertEqual(again.out, self.first.out)
        self.complete("forest", self.job, "--out", self.out, *self.options)
        after = datasets(self.out / "forest.h5")
        self.assertEqual(sorted(after), sorted(before))
        self.complete("run", self.job, "--out", self.out, *self.options)
        self.assertIn("judged by 1,500 other faults", (self.out / "report.html").read_text())

    def test_ranks_and_a_kill_in_between(self):
        out = self.folder / "ranks"
        pipeline.copy_folder(self.out, out)
        for name in ("validation", "forest.h5"):
            (subprocess.run(["rm", "-r", out / name], check=True))
        arguments = ("forest", self.job, "--out", out, *self.options, "--validate", FAULTS)
        run = self.start(*arguments, ranks=2)
        run.wait_for(lambda: pipeline.segments(out / "validation" / str(FAULTS)))
        run.kill()
        run.wait()
        self.complete(*arguments, ranks=3)
        self.assert_same_datasets(out / "validation" / str(FAULTS) / "campaign.h5", self.campaign)
        found, expected = datasets(out / "forest.h5"), datasets(self.out / "forest.h5")
        for path in expected:
            self.assertEqual(found[path].tobytes(), expected[path].tobytes(), path)

    def test_a_campaign_of_every_fault_leaves_no_doubt(self):
        keys = set_keys(model__file=self.out / "model.h5", campaign__exhaustive="true", campaign__limit=0,
                        campaign__layers=[])
        whole = self.folder / "whole"
        few = set_keys(data__test_images=20)
        self.complete("inject", self.job, "--out", whole, *self.options, *keys, *few)
        # It must be of the same images.
        refused = self.run_flipstorm("forest", self.job, "--out", self.out, *self.options, *set_keys(forest__validate_with=whole / "campaign.h5"))
        self.assert_code(refused, DATA)
        self.assertIn("other test images", refused.err)
        sample = self.folder / "sample"
        options = (*self.options, *few, *set_keys(model__file=self.out / "model.h5"))
        self.complete("inject", self.job, "--out", sample, *options)
        self.complete("forest", self.job, "--out", sample, *options, *set_keys(forest__validate_with=whole / "campaign.h5"))
        scores, attributes = self.scores(sample / "forest.h5")
        self.assertEqual(attributes["faults"], 61470 * 32 - 3000)
        for score in scores.values():
            self.assertEqual(score["low"], score["value"])
            self.assertEqual(score["high"], score["value"])

    def test_features_that_cost_no_inference(self):
        out = self.folder / "features"
        keys = set_keys(forest__features=["direction", "exponent", "kernel_position"], model__file=self.out / "model.h5",
                        forest__campaign=self.out / "campaign.h5")
        arguments = ("forest", self.job, "--out", out, *self.options, *keys, *set_keys(forest__validate_with=self.campaign))
        self.complete(*arguments, ranks=2)
        forest = datasets(out / "forest.h5")
        names = [name.decode() if isinstance(name, bytes) else name for name in forest["/features"]]
        self.assertEqual(names[5:], ["direction", "exponent", "kernel_position"])
        self.assertEqual(forest["/importance"].shape[1], 8)
        self.assertGreater(self.scores(out / "forest.h5")[0]["auc"]["value"], 0.9)
        one = self.folder / "features1"
        self.complete(*(one if word == out else word for word in arguments))
        for path, value in forest.items():
            self.assertEqual(datasets(one / "forest.h5")[path].tobytes(), value.tobytes(), path)

    def test_what_cannot_be_is_refused(self):
        own = self.run_flipstorm("forest", self.job, "--out", self.out, *self.options, *set_keys(forest__validate_with=self.out / "campaign.h5"))
        self.assert_code(own, DATA)
        self.assertIn("no fault that the campaign of the map does not have", own.err)
        for words in (("--validate", "0"), ("--validate", "-3"), ("--validate", "many")):
            self.assert_code(self.run_flipstorm("forest", self.job, "--out", self.out, *words), USAGE)
        analysis = pathlib.Path(self.flipstorm).with_name("flipstorm-analysis")
        refused = subprocess.run([analysis, "forest", self.job, "--out", self.out, *map(str, self.options),
                                  "--validate", "9"], capture_output=True, text=True)
        self.assertEqual(refused.returncode, USAGE)
        self.assertIn("flipstorm forest --validate 9", refused.stderr)
        unknown = self.run_flipstorm("forest", self.job, "--out", self.out, *self.options,
                                     *set_keys(forest__features=["colour"]))
        self.assert_code(unknown, USAGE)
        self.assertIn("kernel_position", unknown.err)


if __name__ == "__main__":
    pipeline.main()
