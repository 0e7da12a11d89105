#!/usr/bin/env python3
"""Conversion: what a network of fp32 becomes in other number formats, and what is refused."""

import json
import pathlib
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pipeline
from pipeline import DATA, IO, STOPPED, USAGE, PipelineTest, datasets, edited, set_keys

DECODE = pathlib.Path(__file__).parents[2] / "hdf5_schema" / "python" / "decode_codes.py"
FLOATS = {"fp16": 16, "bf16": 16, "fp8_e4m3": 8, "fp8_e5m2": 8}
WHOLE = {"fxp32": 32, "fxp16": 16, "fxp8": 8, "int8": 8}
LAYERS = ["conv1", "conv2", "fc1", "fc2", "fc3"]


def text(value):
    return value.decode() if isinstance(value, bytes) else value


class Convert(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.out = cls.folder / "out"
        cls.complete("train", cls.job, "--out", cls.out)
        cls.model = cls.out / "model.h5"
        cls.floats = {path: value for path, value in datasets(cls.model).items() if path.startswith("/parameters/")}

    def convert(self, name, *options, **keys):
        to = self.folder / f"{name}.h5"
        return to, self.run_flipstorm("convert", self.model, self.job, "--to", to, *options, *set_keys(**keys))

    def converted(self, name, *options, **keys):
        to, result = self.convert(name, *options, **keys)
        self.assert_code(result, 0)
        return to, result

    def check_decoded(self, file, parameters):
        """The script of hdf5_schema reads all words as the parameters, with nothing of flipstorm."""
        done = subprocess.run([sys.executable, "-B", DECODE, file], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"{parameters} parameters, largest difference 0", done.stdout)
        with edited(shutil.copy(file, self.folder / "changed.h5")) as changed:
            weight = changed["parameters/conv2.weight"]
            weight[0, 0, 0, 0] = weight[0, 0, 0, 0] + np.float32(1)
        done = subprocess.run([sys.executable, "-B", DECODE, self.folder / "changed.h5"], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        refused = self.run_flipstorm("inject", self.job, "--out", self.folder / "refused",
                                     *set_keys(model__file=self.folder / "changed.h5"))
        self.assert_code(refused, IO)
        self.assertIn("'/parameters/conv2.weight'", refused.err)

    def test_formats_of_floats(self):
        for name, bits in FLOATS.items():
            with self.subTest(format=name):
                file, result = self.converted(name, model__format=name)
                biases = name in ("fp16", "bf16")
                self.check_decoded(file, 10 if biases else 5)
                with h5py.File(file) as model:
                    self.assertEqual(list(model.attrs["version"]), [1, 3])
                    self.assertEqual(text(model.attrs["format"]), name)
                    self.assertNotIn("activations", model)
                    self.assertNotIn("scales", model)
                    self.assertIn(f"{100 * model.attrs['test_accuracy']:.2f} % correct", result.err)
                    for layer in LAYERS:
                        self.assertEqual(model[f"codes/{layer}.weight"].dtype, np.dtype(f"uint{bits}"))
                        self.assertEqual(text(model[f"codes/{layer}.weight"].attrs["format"]), name)
                        self.assertEqual(f"{layer}.bias" in model["codes"], biases)
                    if name == "fp16":
                        for path in model["codes"]:
                            half = self.floats[f"/parameters/{path}"].astype(np.float16)
                            self.assertEqual(model["codes"][path][...].tobytes(), half.tobytes(), path)

    def test_formats_of_whole_numbers(self):
        for name, bits in WHOLE.items():
            with self.subTest(format=name):
                file, _ = self.converted(name, model__format=name)
                self.check_decoded(file, 10)
                with h5py.File(file) as model:
                    nodes = json.loads(model["graph"][()])
                    self.assertEqual(set(model["activations"]), {node["name"] for node in nodes})
                    for node in nodes:
                        of_node = model["activations"][node["name"]].attrs
                        self.assertGreater(of_node["scale"], 0)
                        last = node is nodes[-1]
                        self.assertEqual(of_node["bits"], min(2 * bits, 24) if last else bits)
                    for layer in LAYERS:
                        self.check_weights(model, layer, name, bits)

    def check_weights(self, model, layer, name, bits):
        weight = self.floats[f"/parameters/{layer}.weight"]
        scales = model[f"scales/{layer}.weight"][:]
        codes = model[f"codes/{layer}.weight"][...].view(f"int{bits}")
        if name == "int8":
            flat = np.abs(weight.reshape(len(weight), -1)).max(1)
            np.testing.assert_array_equal(scales, flat / np.float32(127))
            self.assertEqual(text(model[f"codes/{layer}.bias"].attrs["format"]), "int32")
            self.assertEqual(len(model[f"scales/{layer}.bias"]), len(scales))
        else:
            np.testing.assert_array_equal(scales, np.float32(2.0 ** (1 - bits)))
            self.assertEqual(text(model[f"codes/{layer}.bias"].attrs["format"]), name)
        each = scales.astype(np.float64).reshape([-1] + [1] * (weight.ndim - 1))
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        np.testing.assert_array_equal(codes, np.clip(np.rint(weight / each), low, high).astype(codes.dtype))

    def test_formats_by_layer(self):
        file, result = self.converted("mixed", model__format="int8", model__scale="tensor", model__integer_bits=2,
                                      model__formats="{conv1=fxp16, fc3=fxp8}")
        self.assertIn("int8 with conv1 in fxp16, fc3 in fxp8;", result.err)
        self.check_decoded(file, 10)
        with h5py.File(file) as model:
            formats = [text(model[f"codes/{layer}.weight"].attrs["format"]) for layer in LAYERS]
            self.assertEqual(formats, ["fxp16", "int8", "int8", "int8", "fxp8"])
            self.assertEqual(model["scales/conv1.weight"][:].tolist(), [2.0**-14])
            self.assertEqual(model["scales/conv2.weight"].shape, (1,))
        floats, _ = self.converted("mixed_floats", model__formats="{conv1=fp16, fc3=bf16}")
        self.check_decoded_layers(floats)

    def check_decoded_layers(self, file):
        """A campaign strikes the words of each layer's own format."""
        out = self.folder / "campaign"
        self.complete("inject", self.job, "--out", out, *set_keys(model__file=file, campaign__limit=300))
        with h5py.File(out / "campaign.h5") as campaign:
            self.assertEqual(campaign["layers/word_bits"][:].tolist(), [16, 32, 32, 32, 16])
            layer, bit = campaign["faults/layer"][:], campaign["faults/bit"][:]
            self.assertTrue((bit[(layer == 0) | (layer == 4)] < 16).all())
            self.assertGreater(bit[layer == 1].max(), 16)
            first = layer == 0
            before = campaign["faults/value_before"][first].astype(np.float16).view(np.uint16)
            after = (before ^ (1 << bit[first].astype(np.uint16))).view(np.float16).astype(np.float32)
            np.testing.assert_array_equal(campaign["faults/value_after"][first], after)
        self.complete("plan", self.job, "--out", out, "--calibrate", "1", *set_keys(model__file=file))

    def test_runs_once(self):
        to, first = self.converted("once", model__format="bf16")
        content = to.read_bytes()
        _, again = self.converted("once", model__format="bf16")
        self.assertIn("is there and up to date", again.err)
        self.assertEqual(to.read_bytes(), content)
        _, other = self.convert("once", model__format="fp16")
        self.assert_code(other, USAGE)
        self.assertIn("--fresh", other.err)
        self.assertEqual(to.read_bytes(), content)
        self.converted("once", "--fresh", model__format="fp16")
        self.assertNotEqual(to.read_bytes(), content)
        ranked = self.folder / "ranked.h5"
        self.complete("convert", self.model, self.job, "--to", ranked, *set_keys(model__format="bf16"), ranks=2)
        self.converted("once", "--fresh", model__format="bf16")
        self.assertEqual({path: value.tobytes() for path, value in datasets(ranked).items()},
                         {path: value.tobytes() for path, value in datasets(to).items()})

    def refused(self, code, message, model=None, to=None, **keys):
        to = to or self.folder / "refused.h5"
        result = self.run_flipstorm("convert", model or self.model, self.job, "--to", to, *set_keys(**keys))
        self.assert_code(result, code)
        self.assertIn(message, result.err)
        self.assertFalse((self.folder / "refused.h5").exists())

    def test_refusals(self):
        self.refused(USAGE, 'model.format is "fp32"')
        self.refused(USAGE, "the network has no layer 'conv9'; it has: conv1, conv2, fc1, fc2, fc3", model__format="fp16",
                     model__formats__conv9="bf16")
        self.refused(USAGE, "model.formats.conv1 = \"fp12\" is not known", model__formats__conv1="fp12")
        self.refused(USAGE, "in floating point or in whole numbers throughout", model__format="int8",
                     model__formats__conv1="fp16")
        self.refused(USAGE, "has another one for every layer", model__format="fp16",
                     model__formats="{" + ", ".join(f"{layer}=bf16" for layer in LAYERS) + "}")
        self.refused(USAGE, "the file to convert", to=self.model, model__format="fp16")
        self.refused(IO, "none.h5", model=self.folder / "none.h5", model__format="fp16")
        already, _ = self.converted("already", model__format="fp16")
        self.refused(DATA, "is fp16 already", model=already, model__format="bf16")
        self.refused(DATA, "the network's are", model__format="fp16", data__kind="cifar10",
                     data__path=self.cifar())

    def cifar(self):
        data = self.folder / "cifar"
        pipeline.write_cifar_dataset(data, 50, 20)
        return data

    def test_stops(self):
        out = self.folder / "stopped"
        out.mkdir()
        (out / "STOP").touch()
        to, result = self.convert("stopped", model__format="fp16", job__out=out)
        self.assert_code(result, STOPPED)
        self.assertFalse(to.exists())


if __name__ == "__main__":
    pipeline.main()
