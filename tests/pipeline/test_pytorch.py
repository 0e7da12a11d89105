#!/usr/bin/env python3
"""A campaign on an IDX data set, checked by check_with_pytorch.py; and that check finds what is wrong."""

import importlib.util
import pathlib
import shutil
import subprocess
import sys

import h5py
import pipeline
from pipeline import PipelineTest

CHECK = pathlib.Path(__file__).with_name("check_with_pytorch.py")


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

    def check(self, folder, faults=50):
        command = [sys.executable, "-B", CHECK, folder, self.data, "--faults", str(faults)]
        return subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=300, check=False)

    def changed_copy(self, name, change):
        folder = self.folder / name
        folder.mkdir()
        for file in ("model.h5", "campaign.h5"):
            shutil.copy(self.out / file, folder)
        change(folder)
        return folder

    def test_pytorch_agrees(self):
        done = self.check(self.out)
        print(done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn(" 0 do,", done.stdout, "no fault that changes a prediction was checked")
        self.assertNotIn(" 0 stopped", done.stdout, "no fault that was stopped early was checked")

    def test_the_check_finds_what_is_wrong(self):
        def shift(file, path, by):
            def change(folder):
                with h5py.File(folder / file, "r+") as opened:
                    opened[path][...] = opened[path][...] + by

            return change

        def attribute(file, name, value):
            def change(folder):
                with h5py.File(folder / file, "r+") as opened:
                    opened.attrs.modify(name, value)

            return change

        for name, change, finding in (
            ("counts", shift("campaign.h5", "/outcomes/mismatches", 1), "mismatches"),
            ("values", shift("campaign.h5", "/faults/value_before", 1), "value_before"),
            ("channels", shift("campaign.h5", "/faults/in_channel", 1), "channels"),
            ("margins", shift("campaign.h5", "/golden/margin", 0.01), "margin"),
            ("weights", shift("model.h5", "/parameters/fc3.bias", range(10)), "accuracy"),
            ("accuracy", attribute("model.h5", "test_accuracy", 0.5), "accuracy"),
        ):
            with self.subTest(name):
                done = self.check(self.changed_copy(name, change), faults=8)
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertRegex(done.stdout, f"WRONG.*{finding}")


if __name__ == "__main__":
    if importlib.util.find_spec("torch") is None:
        print("skipped: needs PyTorch; Debian: apt install python3-torch")
        sys.exit(77)
    pipeline.main()
