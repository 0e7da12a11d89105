#!/usr/bin/env python3
"""An iterative campaign: it stops where each stratum is known well enough, whatever interrupts it and on any ranks."""

import math

import numpy as np
import pipeline
from pipeline import PipelineTest, set_keys

WEIGHTS = [150, 2400, 48000, 10080, 840]
MARGIN, T = 0.05, 1.96
TOLERANCES = (0.01, 0.05)


def half_width(share, n, population):
    """Of Wilson's interval, with the finite-population correction."""
    if n >= population:
        return 0.0
    size = n / (1 - n / population)
    z2 = T * T / size
    return math.sqrt(z2 * (share * (1 - share) + z2 / 4)) / (1 + z2)


class Iterative(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        model = cls.folder / "model"
        cls.complete("train", cls.job, "--out", model)
        cls.options = set_keys(model__file=model / "model.h5", data__test_images=200, campaign__scheme="iterative",
                               campaign__limit=0, campaign__error_margin=MARGIN, campaign__t=T,
                               campaign__journal_seconds=0.1, device__threads=1)
        cls.out = cls.folder / "whole"
        cls.run_of_whole = cls.complete("inject", cls.job, "--out", cls.out, *cls.options)

    def test_every_stratum_is_within_the_margin_and_not_far_below(self):
        columns = pipeline.datasets(self.out / "campaign.h5")
        evaluated, planned = columns["/strata/evaluated"], columns["/strata/planned"]
        population = columns["/strata/population"]
        self.assertEqual(list(population), [w for w in WEIGHTS for _ in range(32)])
        self.assertEqual(evaluated.sum(), len(columns["/faults/stratum"]))
        self.assertEqual(list(np.bincount(columns["/faults/stratum"], minlength=160)), list(evaluated))
        self.assertTrue((planned <= evaluated).all())
        most = [math.ceil(n / (1 + MARGIN**2 * (n - 1) / (T**2 * 0.25))) for n in population.tolist()]
        self.assertTrue((evaluated <= most).all())
        early = 0
        for s in range(160):
            drop = columns["/outcomes/drop"][columns["/faults/stratum"] == s]
            n = len(drop)
            if n == most[s]:
                continue
            early += 1
            for tolerance in TOLERANCES:
                self.assertLessEqual(half_width((drop > tolerance + 1e-9).mean(), n, population[s]), MARGIN + 1e-12)
            # Two steps fewer would not have been enough, if the share had looked the same.
            fewer = n - 2 * max(16, n // 8) - 1
            if fewer > 0:
                worst = max(half_width((drop > t + 1e-9).mean(), fewer, population[s]) for t in TOLERANCES)
                self.assertGreater(worst, MARGIN * 0.85)
        self.assertGreater(early, 100)
        # The sample of a stratum is without replacement.
        sites = set(zip(columns["/faults/stratum"].tolist(), columns["/faults/parameter"].tolist()))
        self.assertEqual(len(sites), len(columns["/faults/stratum"]))
        # Most bits are never critical, and known soon to be so.
        self.assertLess(evaluated.sum(), 0.6 * sum(most))
        self.assertIn("round 2:", self.run_of_whole.err)

    def test_three_ranks(self):
        out = self.folder / "ranks"
        self.complete("inject", self.job, "--out", out, *self.options, ranks=3)
        self.assert_same_datasets(out / "campaign.h5", self.out / "campaign.h5")

    def test_killed_again_and_again(self):
        out = self.folder / "killed"
        self.kill_again_and_again(out, "inject", self.job, "--out", out, *self.options)
        last = self.complete("inject", self.job, "--out", out, *self.options, ranks=2)
        if "up to date" not in last.err:
            self.assertRegex(last.err, r"journal: [1-9]\d* of \d+ chunks are done already")
        self.assert_same_datasets(out / "campaign.h5", self.out / "campaign.h5")

    def test_the_rest_of_the_chain_takes_it(self):
        result = self.complete("run", self.job, "--out", self.out, *self.options)
        self.assertIn("campaign.h5 is there and up to date", result.err)
        self.assertNotIn("limited", result.out)
        page = (self.out / "report.html").read_text()
        self.assertIn("Critical faults by bit and tolerated drop", page)
        self.assertNotIn("Limited to", page)

    def test_plan_shows_bounds_and_totals_of_all_schemes(self):
        text = self.complete("plan", self.job, "--out", self.out, *self.options).out
        columns = pipeline.datasets(self.out / "campaign.h5")
        least, most = (
            [line for line in text.splitlines() if f"iterative, at {word}" in line][0].split()[-2].replace(",", "")
            for word in ("least", "most")
        )
        self.assertLessEqual(int(least), columns["/strata/evaluated"].sum())
        self.assertLessEqual(columns["/strata/evaluated"].sum(), int(most))
        for scheme in ("network_wise", "layer_wise", "data_unaware", "data_aware", "exhaustive"):
            self.assertIn(scheme, text)
        self.assertIn("plan --strata", text)
        every = self.complete("plan", self.job, "--out", self.out, "--strata", *self.options).out
        every = every[: every.index("Cost, from")]
        self.assertEqual(sum(line.split()[:1] == ["fc2"] for line in every.splitlines()), 32)


if __name__ == "__main__":
    pipeline.main()
