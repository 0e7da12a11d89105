#!/usr/bin/env python3
"""A screen that is too careless is found out by its audit, tightened, and given up; a careful one is kept."""

import math

import h5py
import numpy as np
import pipeline
from pipeline import PipelineTest, set_keys

BOUND = 5e-4
LAYERS = ("conv1", "conv2", "fc1", "fc2", "fc3")
AS_ASKED, AUDITED_MORE, TIGHTENED, EXACT = range(4)
CAREFUL = {"campaign__kappa": 4, "campaign__tau": 1}
# Takes nearly every pair as unchanged.
CARELESS = {"campaign__kappa": 0.001, "campaign__tau": 1e6}


def tail(disagreements, audited, share):
    """Probability of at most so many disagreements if that share of all pairs is wrong."""
    logs = [
        math.lgamma(audited + 1) - math.lgamma(i + 1) - math.lgamma(audited - i + 1)
        + i * math.log(share) + (audited - i) * math.log1p(-share)
        for i in range(disagreements + 1)
    ]
    return math.fsum(math.exp(value) for value in logs)


def attributes(file):
    with h5py.File(file, "r") as opened:
        return {key: value for key, value in opened["screen"].attrs.items()}


class Screening(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        model = cls.folder / "model"
        cls.complete("train", cls.job, "--out", model)
        cls.keys = set_keys(
            model__file=model / "model.h5", campaign__limit=960, campaign__screen_bound=BOUND,
            campaign__journal_seconds=0.1, device__threads=1,
        )
        cls.files, cls.log = {}, {}
        for name, keys in (
            ("exact", {"campaign__evaluation": "exact"}), ("careful", CAREFUL), ("careless", CARELESS)
        ):
            out = cls.folder / name
            cls.log[name] = cls.complete("inject", cls.job, "--out", out, *cls.keys, *set_keys(**keys)).err
            cls.files[name] = out / "campaign.h5"
        cls.columns = {name: pipeline.datasets(file) for name, file in cls.files.items()}

    def screens(self, name):
        columns = self.columns[name]
        names = [path.rsplit("/", 1)[1] for path in columns if path.startswith("/screen/")]
        rows = len(columns["/screen/layer"])
        return [{name: columns["/screen/" + name][row].item() for name in names} for row in range(rows)]

    def test_the_audit_is_what_the_file_says(self):
        for name in ("careful", "careless"):
            images = len(self.columns[name]["/golden/label"])
            faults = np.bincount(self.columns[name]["/faults/layer"])
            for row in self.screens(name):
                self.assertEqual(row["pairs"], faults[row["layer"]] * images)
                if row["level"] == EXACT:
                    self.assertEqual((row["screened"], row["audited"], row["bound95"]), (0, 0, 0))
                    continue
                share = row["audit_share"]
                self.assertLess(share, 1)
                if row["level"] == AS_ASKED:
                    self.assertAlmostEqual(share, max(0.005, 4.743865 / BOUND / row["pairs"]), 9)
                self.assertLessEqual(row["screened"], row["pairs"])
                expected = share * row["screened"]
                self.assertLess(abs(row["audited"] - expected), 6 * math.sqrt(expected * (1 - share)) + 1, row)
                if row["screened"] > 0 and row["disagreements"] < row["audited"]:
                    self.assertAlmostEqual(tail(row["disagreements"], row["audited"], row["bound95"]), 0.05, 6)

    def test_a_careless_screen_is_given_up(self):
        rows = self.screens("careless")
        given_up = [row for row in rows if not row["kept"]]
        self.assertGreaterEqual(len({row["layer"] for row in given_up}), 3, rows)
        for row in given_up:
            self.assertGreater(row["bound95"], BOUND)
        wrong = {row["layer"] for row in given_up if row["disagreements"] > BOUND * row["audited"]}
        self.assertGreaterEqual(len(wrong), 3, rows)
        self.assertIn(TIGHTENED, [row["level"] for row in rows])
        kept = [row for row in rows if row["kept"]]
        self.assertEqual([row["layer"] for row in kept], list(range(len(LAYERS))))
        for row in kept:
            self.assertLessEqual(row["bound95"], BOUND)
        for row in rows:
            if row["level"] in (AS_ASKED, AUDITED_MORE):
                self.assertEqual((row["kappa"], row["tau"]), (0.001, 1e6))
            if row["level"] == TIGHTENED:
                self.assertEqual((row["kappa"], row["tau"]), (0.004, 2.5e5))
            if row["level"] == EXACT:
                self.assertEqual((row["kappa"], row["tau"]), (0, 0))

    def test_the_log_says_so(self):
        for row in self.screens("careless"):
            if row["kept"]:
                continue
            disagreed = f"{row['audited']:,} were audited and {row['disagreements']:,} disagreed"
            lines = [
                line for line in self.log["careless"].splitlines()
                if f" of layer '{LAYERS[row['layer']]}' " in line and disagreed in line
            ]
            self.assertEqual(len(lines), 1, self.log["careless"])
        again = [row for row in self.screens("careful") if row["level"] == AUDITED_MORE]
        self.assertEqual(self.log["careful"].count("too small"), len(again), self.log["careful"])
        self.assertNotIn("given up", self.log["exact"])

    def test_what_was_given_up_has_the_outcomes_of_exact(self):
        exact, careless = self.columns["exact"], self.columns["careless"]
        layers = [row["layer"] for row in self.screens("careless") if row["kept"] and row["level"] == EXACT]
        self.assertGreaterEqual(len(layers), 3, "too few layers were given up to compare")
        again = np.isin(exact["/faults/layer"], layers)
        for name in ("evaluated", "correct", "mismatches", "nonfinite", "stopped", "drop"):
            path = "/outcomes/" + name
            self.assertEqual(careless[path][again].tobytes(), exact[path][again].tobytes(), path)
        with h5py.File(self.files["careless"], "r") as file:
            for tolerance in file.attrs["tolerances"]:
                labels = [columns["/outcomes/drop"][again] > tolerance for columns in (careless, exact)]
                self.assertTrue((labels[0] == labels[1]).all())
                self.assertTrue(labels[0].any() and not labels[0].all())

    def test_a_careful_screen_is_kept(self):
        rows = self.screens("careful")
        kept = [row for row in rows if row["kept"] and row["level"] in (AS_ASKED, AUDITED_MORE)]
        self.assertGreaterEqual(len(kept), 3, rows)
        self.assertIn(AUDITED_MORE, [row["level"] for row in rows], "no layer was masked so much")
        totals = attributes(self.files["careful"])
        self.assertEqual((totals["kappa"], totals["tau"], totals["screen_bound"]), (4, 1, BOUND))
        for name in ("pairs", "screened", "audited", "disagreements"):
            self.assertEqual(totals[name], sum(row[name] for row in rows if row["kept"]), name)
        self.assertEqual(totals["bound95"], max(row["bound95"] for row in rows if row["kept"]))
        self.assertGreater(totals["screened"], 0.3 * totals["pairs"])
        # What the bound allows for in the screened pairs is all that may differ from exact.
        exact, careful = self.columns["exact"], self.columns["careful"]
        whole = (exact["/outcomes/stopped"] == 0) & (careful["/outcomes/stopped"] == 0)
        moved = np.abs(
            exact["/outcomes/mismatches"][whole].astype(int) - careful["/outcomes/mismatches"][whole].astype(int)
        )
        self.assertLessEqual(moved.sum(), BOUND * totals["screened"])

    def test_exact_has_no_screen(self):
        totals = attributes(self.files["exact"])
        self.assertEqual((totals["kappa"], totals["tau"], totals["screened"], totals["bound95"]), (0, 0, 0, 0))
        self.assertEqual([row["level"] for row in self.screens("exact")], [EXACT] * len(LAYERS))

    def careless_as_alone(self, out):
        self.assert_same_datasets(out / "campaign.h5", self.files["careless"])
        self.assertEqual(attributes(out / "campaign.h5"), attributes(self.files["careless"]))

    def careless_options(self, out):
        return ["inject", self.job, "--out", out, *self.keys, *set_keys(**CARELESS)]

    def test_on_two_ranks(self):
        out = self.folder / "careless-2"
        result = self.complete(*self.careless_options(out), ranks=2)
        self.assertEqual(result.err.count("given up"), self.log["careless"].count("given up"))
        self.careless_as_alone(out)

    def test_killed_in_the_second_round(self):
        out = self.folder / "careless-killed"
        run = self.start(*self.careless_options(out), ranks=2)
        self.assertTrue(run.wait_for(lambda: run.says("given up")), "no screen was given up")
        before = pipeline.segments(out)
        run.wait_for(lambda: pipeline.segments(out) != before)
        run.kill()
        run.wait()
        result = self.complete(*self.careless_options(out))
        self.assertRegex(result.err, r"journal: \d+ of \d+ chunks are done already|campaign.h5 is there")
        self.careless_as_alone(out)

    def test_a_segment_lost_after_the_verdict_is_computed_again(self):
        """The file keeps the evidence of every screen that was given up."""
        out = self.folder / "careless-lost"
        self.complete(*self.careless_options(out), ranks=2)
        (out / "campaign.h5").unlink()
        pipeline.segments(out)[0].unlink()
        self.complete(*self.careless_options(out), ranks=3)
        self.careless_as_alone(out)


if __name__ == "__main__":
    pipeline.main()
