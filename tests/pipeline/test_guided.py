#!/usr/bin/env python3
"""A guided campaign: in rounds, the same whatever interrupts it and on any ranks, and taken by the rest of the chain."""

import numpy as np
import pipeline
from pipeline import USAGE, PipelineTest, set_keys

WEIGHTS = [150, 2400, 48000, 10080, 840]
LIMIT = 3000


class Guided(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        model = cls.folder / "model"
        cls.complete("train", cls.job, "--out", model)
        cls.options = set_keys(model__file=model / "model.h5", data__test_images=200, campaign__scheme="guided",
                               campaign__limit=LIMIT, campaign__journal_seconds=0.1, device__threads=1)
        cls.out = cls.folder / "whole"
        cls.run_of_whole = cls.complete("inject", cls.job, "--out", cls.out, *cls.options)

    def test_strata_and_weights_are_those_of_the_design(self):
        columns = pipeline.datasets(self.out / "campaign.h5")
        strata = {name: columns[f"/strata/{name}"]
                  for name in ("layer", "bit", "direction", "known", "population", "evaluated")}
        self.assertEqual(strata["population"].sum(), sum(WEIGHTS) * 32)
        known = strata["known"] == 1
        self.assertTrue((strata["population"][known] == strata["evaluated"][known]).all())
        self.assertTrue((strata["evaluated"] > 0).all())
        faults = {name: columns[f"/faults/{name}"]
                  for name in ("stratum", "layer", "bit", "parameter", "value_before", "weight")}
        stratum = faults["stratum"]
        self.assertEqual(list(np.bincount(stratum)), list(strata["evaluated"]))
        self.assertTrue((strata["layer"][stratum] == faults["layer"]).all())
        self.assertTrue((strata["bit"][stratum] == faults["bit"]).all())
        held = faults["value_before"].astype("<f4").view("<u4") >> faults["bit"] & 1
        self.assertTrue((strata["direction"][stratum] == held).all())
        self.assertTrue(np.allclose(faults["weight"], (strata["population"] / strata["evaluated"])[stratum]))
        self.assertAlmostEqual(faults["weight"].sum() / (sum(WEIGHTS) * 32), 1)
        sites = set(zip(faults["layer"].tolist(), faults["parameter"].tolist(), faults["bit"].tolist()))
        self.assertEqual(len(sites), len(stratum))
        # What it asks for is done in whole steps.
        self.assertGreaterEqual(len(stratum), LIMIT)
        self.assertLess(len(stratum), 1.25 * LIMIT)
        self.assertIn("round 4:", self.run_of_whole.err)
        self.assertNotIn("round 5:", self.run_of_whole.err)
        # It looked more where faults are critical: a plain sample would have seen as many as they are.
        critical = columns["/outcomes/drop"] > 0.01 + 1e-9
        share = (faults["weight"] * critical).sum() / faults["weight"].sum()
        self.assertGreater(critical.mean(), 2 * share)

    def test_three_ranks(self):
        out = self.folder / "ranks"
        self.complete("inject", self.job, "--out", out, *self.options, ranks=3)
        self.assert_same_datasets(out / "campaign.h5", self.out / "campaign.h5")

    def test_killed_again_and_again(self):
        out = self.folder / "killed"
        self.kill_again_and_again(out, "inject", self.job, "--out", out, *self.options)
        self.complete("inject", self.job, "--out", out, *self.options, ranks=2)
        self.assert_same_datasets(out / "campaign.h5", self.out / "campaign.h5")

    def test_the_rest_of_the_chain_takes_it(self):
        result = self.complete("run", self.job, "--out", self.out, *self.options)
        self.assertIn("campaign.h5 is there and up to date", result.err)
        page = (self.out / "report.html").read_text()
        self.assertIn("How well it is predicted", page)
        self.assertIn("guided", self.complete("plan", self.job, "--out", self.out, *self.options).out)

    def test_what_cannot_be_is_refused(self):
        for keys, word in (
            ({"campaign__limit": 100}, "too little for a guided campaign"),
            ({"campaign__pilot": 1000}, "campaign.pilot = 1000"),
            ({"campaign__fault_model": "stuck_at"}, "bit_flip"),
            ({"campaign__exhaustive": "true"}, "chooses some"),
        ):
            result = self.run_flipstorm("inject", self.job, "--out", self.folder / "no", *self.options,
                                        *set_keys(**keys))
            self.assert_code(result, USAGE)
            self.assertIn(word, result.err)


if __name__ == "__main__":
    pipeline.main()
