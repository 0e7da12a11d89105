#!/usr/bin/env python3
"""The quickstart on Fashion-MNIST, killed with kill -9 and continued: compared by h5diff, checked by PyTorch."""

import importlib.util
import pathlib
import shutil
import subprocess
import sys
import unittest

import h5py
import pipeline
from pipeline import PipelineTest, check_with_pytorch, set_keys

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
QUICKSTART = pathlib.Path(__file__).parents[2] / "jobs" / "examples" / "quickstart.toml"


class FashionMnist(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        model = cls.folder / "model"
        keys = set_keys(data__path=DATA, device__kind="cpu")
        cls.complete("train", QUICKSTART, "--out", model, *keys, *set_keys(device__threads=2))
        cls.model = model / "model.h5"
        limit = 300
        while True:
            inject = ["inject", QUICKSTART, *keys,
                      *set_keys(model__file=cls.model, campaign__limit=limit, campaign__journal_seconds=0.2)]
            cls.out = cls.folder / f"killed-{limit}"
            if cls.kill_at_first_segment(cls.out, *inject, ranks=2):
                break
            limit *= 4
        result = cls.complete(*inject, "--out", cls.out, ranks=3)
        assert "chunks are done already" in result.err, result
        shutil.copy(cls.model, cls.out)
        cls.whole = cls.folder / "whole" / "campaign.h5"
        cls.complete(*inject, "--out", cls.whole.parent, ranks=2)

    def test_accuracy(self):
        with h5py.File(self.model, "r") as model:
            accuracy = float(model.attrs["test_accuracy"])
        print(f"test accuracy {100 * accuracy:.2f} %")
        self.assertGreaterEqual(accuracy, 0.90)

    def test_killed_is_as_uninterrupted(self):
        self.assert_same_datasets(self.out / "campaign.h5", self.whole)

    @unittest.skipIf(shutil.which("h5diff") is None, "needs h5diff; Debian: apt install hdf5-tools")
    def test_h5diff(self):
        def differences(file, path):
            done = subprocess.run(["h5diff", file, self.whole, path], capture_output=True, text=True, check=False)
            return done.returncode, done.stdout + done.stderr

        paths = sorted(pipeline.datasets(self.whole))
        self.assertLessEqual(pipeline.CAMPAIGN_DATASETS, set(paths))
        for path in paths:
            self.assertEqual(differences(self.out / "campaign.h5", path), (0, ""), path)
        changed = shutil.copy(self.whole, self.folder / "changed.h5")
        with h5py.File(changed, "r+") as file:
            file["/faults/bit"][-1] += 1
        self.assertEqual(differences(changed, "/faults/bit")[0], 1, "h5diff finds nothing")

    @unittest.skipIf(importlib.util.find_spec("torch") is None, "needs PyTorch; Debian: apt install python3-torch")
    def test_pytorch_agrees(self):
        code, text = check_with_pytorch(self.out, DATA, 50)
        print(text)
        self.assertEqual(code, 0, text)
        self.assertIn("equal of 50\n", text)


if __name__ == "__main__":
    if not (DATA / "train-images-idx3-ubyte.gz").exists() and not (DATA / "train-images-idx3-ubyte").exists():
        print(f"skipped: no Fashion-MNIST in {DATA}; Debian: apt install dataset-fashion-mnist")
        sys.exit(77)
    pipeline.main()
