#!/usr/bin/env python3
"""Number formats on Fashion-MNIST: trained and converted networks are as good, and NumPy alone finds the same outcomes."""

import pathlib
import shutil
import subprocess
import sys

import h5py
import pipeline
from pipeline import PipelineTest, set_keys

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
QUICKSTART = pathlib.Path(__file__).parents[2] / "jobs" / "examples" / "quickstart.toml"
CHECK = pathlib.Path(__file__).parent / "check_integers_with_numpy.py"
CONVERTED = ["fp16", "bf16", "fp8_e4m3", "fp8_e5m2", "fxp32", "fxp16", "fxp8", "int8"]
CHECKED = ["fxp8", "fxp16", "int8"]


def accuracy(file):
    with h5py.File(file, "r") as model:
        return float(model.attrs["test_accuracy"])


class Formats(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keys = set_keys(data__path=DATA, device__kind="cpu", device__threads=2)
        cls.complete("train", QUICKSTART, "--out", cls.folder / "fp32", *cls.keys, *set_keys(train__epochs=3))
        cls.model = cls.folder / "fp32" / "model.h5"

    def converted(self, name):
        """The network in another format; made once."""
        to = self.folder / f"{name}.h5"
        if not to.exists():
            self.complete("convert", self.model, QUICKSTART, "--to", to, *self.keys, *set_keys(model__format=name))
        return to

    def test_converted_networks_are_as_good(self):
        for name in CONVERTED:
            self.assertGreater(accuracy(self.converted(name)), accuracy(self.model) - 0.01, name)

    def test_trained_networks_are_as_good(self):
        for name in ("fxp8", "int8"):
            out = self.folder / f"trained-{name}"
            self.complete("train", QUICKSTART, "--out", out, *self.keys,
                          *set_keys(model__format=name, train__epochs=3))
            self.assertGreater(accuracy(out / "model.h5"), accuracy(self.model) - 0.01, name)

    def test_libtorch_agrees(self):
        """The same campaign.h5 of the native kernels and of LibTorch; words that it cannot hold are refused."""
        for name in ("fxp8", "int8"):
            model = self.converted(name)
            outs = []
            for backend in ("native", "libtorch"):
                outs.append(self.folder / f"libtorch-{name}-{backend}")
                self.complete("inject", QUICKSTART, "--out", outs[-1], *self.keys,
                              *set_keys(model__format=name, model__file=model, data__test_images=100,
                                        campaign__evaluation="exact", campaign__tolerances=[0.98],
                                        forest__tolerances=[0.98], harden__tolerance=0.98, campaign__limit=100,
                                        campaign__backend=backend))
            self.assert_same_datasets(outs[0] / "campaign.h5", outs[1] / "campaign.h5")
        result = self.run_flipstorm("inject", QUICKSTART, "--out", self.folder / "libtorch-fxp32", *self.keys,
                                    *set_keys(model__format="fxp32", model__file=self.converted("fxp32"),
                                              campaign__backend="libtorch"))
        self.assert_code(result, pipeline.USAGE)
        self.assertIn("words of more than 16 bits", result.err)

    def test_another_format_than_the_trained_ones(self):
        result = self.run_flipstorm("inject", QUICKSTART, "--out", self.folder / "fp32", *self.keys,
                                    *set_keys(model__format="fxp8"))
        self.assert_code(result, pipeline.USAGE)
        self.assertIn("is stored in fp32, and [model] asks for fxp8", result.err)

    def test_numpy_agrees(self):
        for name in CHECKED:
            out = self.folder / f"checked-{name}"
            out.mkdir()
            shutil.copy(self.converted(name), out / "model.h5")
            self.complete("inject", QUICKSTART, "--out", out, *self.keys,
                          *set_keys(model__format=name, model__file=out / "model.h5", data__test_images=500,
                                    campaign__evaluation="exact", campaign__tolerances=[0.98],
                                    forest__tolerances=[0.98], harden__tolerance=0.98, campaign__limit=400))
            done = subprocess.run([sys.executable, "-B", CHECK, out, DATA, "--faults", "200"], capture_output=True,
                                  text=True, check=False)
            print(name, done.stdout.splitlines()[-1] if done.stdout else done.stderr)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("200 faults", done.stdout)


if __name__ == "__main__":
    if not (DATA / "train-images-idx3-ubyte.gz").exists() and not (DATA / "train-images-idx3-ubyte").exists():
        print(f"skipped: no Fashion-MNIST in {DATA}; Debian: apt install dataset-fashion-mnist")
        sys.exit(77)
    pipeline.main()
