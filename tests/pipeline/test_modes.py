#!/usr/bin/env python3
"""The exact evaluation gives the outcomes of the reference, which runs the whole network for each fault."""

import h5py
import pipeline
from pipeline import PipelineTest, set_keys


class Modes(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        model = cls.folder / "model"
        cls.complete("train", cls.job, "--out", model)
        cls.columns = {}
        for mode in ("reference", "exact"):
            out = cls.folder / mode
            keys = set_keys(model__file=model / "model.h5", campaign__evaluation=mode, campaign__limit=320)
            cls.complete("inject", cls.job, "--out", out, *keys)
            cls.columns[mode] = pipeline.datasets(out / "campaign.h5")
            with h5py.File(out / "campaign.h5", "r") as file:
                assert file.attrs["evaluation"].decode() == mode
                cls.largest = max(file.attrs["tolerances"])
        cls.stopped = cls.columns["exact"]["/outcomes/stopped"] == 1

    def test_same_faults(self):
        for path, value in self.columns["reference"].items():
            if not path.startswith("/outcomes"):
                self.assertEqual(self.columns["exact"][path].tobytes(), value.tobytes(), path)

    def test_reference_never_stops(self):
        reference = self.columns["reference"]
        self.assertFalse(reference["/outcomes/stopped"].any())
        self.assertTrue((reference["/outcomes/evaluated"] == len(reference["/golden/label"])).all())

    def test_whole_outcomes_are_equal(self):
        """No near-tie is expected on this job: an image that differs is a finding."""
        whole = ~self.stopped
        for name in ("evaluated", "correct", "mismatches", "nonfinite", "drop"):
            reference, exact = (self.columns[mode]["/outcomes/" + name][whole] for mode in ("reference", "exact"))
            differ = (reference != exact).nonzero()[0]
            self.assertEqual(len(differ), 0, f"{name} of {len(differ)} faults: {reference[differ]}, {exact[differ]}")

    def test_bounds_of_stopped_faults_hold(self):
        bound = self.columns["exact"]["/outcomes/drop"][self.stopped]
        drop = self.columns["reference"]["/outcomes/drop"][self.stopped]
        self.assertTrue((bound > self.largest).all())
        self.assertTrue((drop >= bound).all(), f"drops {drop}, bounds {bound}")

    def test_outcomes_of_all_kinds_are_among_them(self):
        outcomes = {path: value for path, value in self.columns["exact"].items() if path.startswith("/outcomes")}
        changed = outcomes["/outcomes/mismatches"] > 0
        self.assertGreater(self.stopped.sum(), 0)
        self.assertGreater((changed & ~self.stopped).sum(), 5)
        self.assertGreater((~changed & ~self.stopped).sum(), 100)
        self.assertGreater((outcomes["/outcomes/nonfinite"] > 0).sum(), 0)


if __name__ == "__main__":
    pipeline.main()
