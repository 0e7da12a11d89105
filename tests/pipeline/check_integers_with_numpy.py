#!/usr/bin/env python3
"""Check a campaign in a network of whole numbers with NumPy alone.

    check_integers_with_numpy.py OUT_FOLDER DATA_FOLDER [--faults 200] [--seed 1]

OUT_FOLDER holds model.h5 and campaign.h5, DATA_FOLDER the IDX files of the data set or the binary files of CIFAR-10.
Nothing of flipstorm is used but its two files: words, scales and the graph of model.h5, faults and outcomes of
campaign.h5. The arithmetic is that of engine/METHODS.md, "Networks of whole numbers"; sums of products are computed
as float64 products of whole numbers, which are exact below 2^53, or as int64 where they are rounded.

Labels, top-1, correct, mismatches and margins have to be equal, of every image without a fault, and of every image of
the drawn faults. Exit codes: 0 all agree, 1 not, 77 a Python module is missing.
"""

import argparse
import gzip
import json
import pathlib
import sys

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"skipped: needs h5py and numpy ({missing}); Debian: apt install python3-h5py")
    sys.exit(77)

PRODUCT_BITS = 48


def code_of(value, scale, bits):
    """round(value / scale), ties to even, saturated."""
    code = np.rint(np.asarray(value, np.float64) / np.float64(scale))
    return np.clip(code, -2.0 ** (bits - 1), 2.0 ** (bits - 1) - 1).astype(np.int64)


def saturated(x, bits):
    return np.clip(x, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def rounded_shift(x, shift):
    shift = np.asarray(shift, np.int64)
    half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    return (x + half) >> shift


def rescale_of(ratio, added=0.0):
    """factor, shift, offset: x -> (x * factor + offset + 2^(shift - 1)) >> shift."""
    ratio = 0.0 if np.isnan(ratio) else float(ratio)
    exponent = np.frexp(min(abs(ratio), 2.0 ** 20))[1]
    shift = 20 if ratio == 0 else int(np.clip(20 - exponent, 0, 44))
    factor = int(np.clip(np.rint(np.ldexp(ratio, shift)), -2 ** 20, 2 ** 20))
    offset = 0 if np.isnan(added) else int(np.clip(np.rint(np.ldexp(added, shift)), -2.0 ** 52, 2.0 ** 52))
    return factor, shift, offset


def reduced(rescale):
    factor, shift, offset = rescale
    while shift > 0 and factor % 2 == 0:
        factor //= 2
        shift -= 1
    return factor, shift, offset


def rescaled(x, rescales):
    """By channel, axis 1."""
    form = (1, -1) + (1,) * (x.ndim - 2)
    factor, shift, offset = (np.array([r[k] for r in rescales], np.int64).reshape(form) for k in range(3))
    return rounded_shift(x * factor + offset, shift)


class Network:
    def __init__(self, file):
        self.graph = json.loads(file["graph"][()].ravel()[0] if file["graph"].ndim else file["graph"][()])
        self.nodes = {node["name"]: node for node in self.graph}
        self.columns = {}
        self.scale = {}
        self.bits = {}
        for node in self.graph:
            attributes = file["activations"][node["name"]].attrs
            self.scale[node["name"]] = float(np.float32(attributes["scale"]))
            self.bits[node["name"]] = int(attributes["bits"])
        self.words = {name: self.read(file["codes"][name]) for name in self.names(file["codes"])}
        self.word_bits = {name: 8 * file["codes"][name].dtype.itemsize for name in self.words}
        self.format = {name: self.text(file["codes"][name].attrs["format"]) for name in self.words}
        self.scales = {name: np.asarray(file["scales"][name], np.float64).ravel() for name in self.words}
        self.floats = {name: np.asarray(file["parameters"][name], np.float64)
                       for name in self.names(file["parameters"]) if name not in self.words}
        self.mean = np.asarray(file.attrs["mean"], np.float32).reshape(1, -1, 1, 1)
        self.std = np.asarray(file.attrs["std"], np.float32).reshape(1, -1, 1, 1)

    @staticmethod
    def names(group):
        found = []
        group.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
        return found

    @staticmethod
    def read(dataset):
        return np.asarray(dataset)

    @staticmethod
    def text(value):
        return value.decode() if isinstance(value, bytes) else str(value)

    def codes(self, name):
        words = self.words[name].astype(np.int64)
        bits = self.word_bits[name]
        return np.where(words >= 1 << (bits - 1), words - (1 << bits), words)

    def input_of(self, node, k=0):
        return node["inputs"][k]

    def product(self, node, columns, weights):
        """Sums over the last axis of both: columns [N, P, K], weights [O, K] -> [N, O, P], biases included."""
        name = node["name"]
        dropped = max(0, self.bits[self.input_of(node)] + self.word_bits[name + ".weight"] - PRODUCT_BITS)
        if dropped == 0:
            assert columns.shape[-1] * 2.0 ** (self.bits[self.input_of(node)] + self.word_bits[name + ".weight"] - 2) \
                < 2.0 ** 53, "sums beyond 2^53"
            sums = np.matmul(columns, weights.T.astype(np.float64)).astype(np.int64)
        else:
            columns = columns.astype(np.int64)
            sums = np.zeros(columns.shape[:2] + (weights.shape[0],), np.int64)
            for k in range(weights.shape[1]):
                sums += rounded_shift(columns[:, :, k, None] * weights[None, None, :, k], dropped)
        scale = self.scales[name + ".weight"]
        of_sum = self.scale[self.input_of(node)] * scale * 2.0 ** dropped
        outputs = weights.shape[0]
        of_sum = np.broadcast_to(of_sum, outputs)
        if name + ".bias" in self.words:
            stored = self.codes(name + ".bias")
            narrow = self.bits[self.input_of(node)] + self.word_bits[name + ".weight"] <= 16
            most = 31 if narrow else 60
            if self.format[name + ".bias"] == "int32":
                bias = saturated(stored, most)
            else:
                of_bias = np.broadcast_to(self.scales[name + ".bias"], outputs)
                bias = np.array([code_of(float(b) * s, a, most) for b, s, a in zip(stored, of_bias, of_sum)])
            sums += bias
        rescales = [reduced(rescale_of(a / self.scale[name])) for a in of_sum]
        return rescaled(sums.transpose(0, 2, 1), rescales)

    def conv2d(self, node, x, weights):
        k, stride, padding, groups = node["kernel"], node["stride"], node["padding"], node["groups"]
        dilation = node.get("dilation", 1)
        channels, height, width = node["shape"]
        if node["name"] in self.columns:
            parts = self.product(node, self.columns[node["name"]], weights.reshape(channels, -1))
            return parts.reshape(len(x), channels, height, width)
        x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding))).astype(np.float64)
        of_group = x.shape[1] // groups
        columns = np.stack([x[:, :, i * dilation:i * dilation + stride * (height - 1) + 1:stride,
                              j * dilation:j * dilation + stride * (width - 1) + 1:stride]
                            for i in range(k) for j in range(k)], 2)  # [N, C, K, H, W]
        assert groups == 1, "grouped convolutions are not checked here"
        columns = columns.reshape(len(x), of_group * k * k, height * width).transpose(0, 2, 1)
        self.columns_of_last = columns
        parts = self.product(node, columns, weights.reshape(channels, -1))
        return parts.reshape(len(x), channels, height, width)

    def keep_columns(self, layer, values):
        """Of a convolution's golden input, for the faults of its weights."""
        self.columns = {}
        if self.nodes[layer]["op"] == "conv2d":
            self.conv2d(self.nodes[layer], values[self.input_of(self.nodes[layer])], self.codes(layer + ".weight"))
            self.columns = {layer: self.columns_of_last}

    def value(self, node, inputs, weights):
        name, op = node["name"], node["op"]
        x = inputs[0]
        ins = node["inputs"]
        if op == "conv2d":
            return self.conv2d(node, x, weights)
        if op == "linear":
            return self.product(node, x[:, None, :].astype(np.float64), weights)[:, :, 0]
        if op == "batch_norm":
            gamma, beta = self.floats[name + ".weight"], self.floats[name + ".bias"]
            mean, variance = self.floats[name + ".running_mean"], self.floats[name + ".running_var"]
            a = gamma / np.sqrt(variance + node["epsilon"])
            b = beta - mean * a
            return rescaled(x, [rescale_of(a[c] * self.scale[ins[0]] / self.scale[name], b[c] / self.scale[name])
                                for c in range(len(a))])
        if op == "relu":
            return np.maximum(x, 0)
        if op == "relu6":
            return np.clip(x, 0, code_of(6.0, self.scale[name], self.bits[name]))
        if op == "max_pool2d":
            k, stride, padding = node["kernel"], node["stride"], node.get("padding", 0)
            _, height, width = node["shape"]
            x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)), constant_values=-2 ** 40)
            return np.max([x[:, :, i:i + stride * (height - 1) + 1:stride, j:j + stride * (width - 1) + 1:stride]
                           for i in range(k) for j in range(k)], 0)
        if op == "global_avg_pool":
            ratio = self.scale[ins[0]] / (self.scale[name] * (x.shape[2] * x.shape[3]))
            return rescaled(x.sum((2, 3), keepdims=True), [reduced(rescale_of(ratio))])
        if op == "add":
            ratios = [self.scale[i] / self.scale[name] for i in ins]
            shift = rescale_of(max(ratios))[1]
            factors = [int(min(np.rint(np.ldexp(r, shift)), 2.0 ** 20)) for r in ratios]
            return rounded_shift(x * factors[0] + inputs[1] * factors[1], shift)
        if op == "pad":
            return np.pad(x, ((0, 0), (node["channels_before"], node["channels_behind"]), (node["top"], node["bottom"]),
                              (node["left"], node["right"])))
        if op == "slice":
            index = [slice(None)] * 4
            index[1 + node["dimension"]] = slice(node["start"], node["end"], node["step"])
            return x[tuple(index)]
        if op == "flatten":
            return x.reshape(len(x), -1)
        raise SystemExit(f"'{op}' is not checked here")

    def values(self, pixels, changed=None, golden=None):
        """By node, of images uint8 [N, C, H, W]. changed: a layer's name and its weights' codes; golden: what the
        values are without the change, for those that do not depend on it."""
        image = (pixels.astype(np.float32) / np.float32(255) - self.mean) / self.std
        values = {}
        touched = set() if golden else {node["name"] for node in self.graph}
        for node in self.graph:
            name = node["name"]
            if name == (changed or [None])[0] or any(i in touched for i in node["inputs"]):
                touched.add(name)
            if name not in touched:
                values[name] = golden[name]
                continue
            if node["op"] == "input":
                values[name] = code_of(image, self.scale[name], self.bits[name])
                continue
            weights = None
            if name + ".weight" in self.words:
                weights = changed[1] if changed and changed[0] == name else self.codes(name + ".weight")
            values[name] = saturated(self.value(node, [values[i] for i in node["inputs"]], weights), self.bits[name])
        return values

    def logits(self, values):
        return values[self.graph[-1]["name"]]


def read_idx(folder, name):
    for path in (folder / name, folder / (name + ".gz")):
        if path.exists():
            data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
            dimensions = data[3]
            shape = [int.from_bytes(data[4 + 4 * k:8 + 4 * k], "big") for k in range(dimensions)]
            return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    raise SystemExit(f"no {name} in {folder}")


def read_test_images(folder):
    batch = folder / "test_batch.bin"
    if batch.exists():
        rows = np.frombuffer(batch.read_bytes(), np.uint8).reshape(-1, 3073)
        return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0]
    images = read_idx(folder, "t10k-images-idx3-ubyte")
    return images[:, None], read_idx(folder, "t10k-labels-idx1-ubyte")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    wrong = 0
    with h5py.File(arguments.out / "model.h5") as model, h5py.File(arguments.out / "campaign.h5") as campaign:
        network = Network(model)
        count = int(campaign.attrs["images"])
        pixels, labels = read_test_images(arguments.data)
        pixels, labels = pixels[:count], labels[:count].astype(np.int64)
        values = network.values(pixels)
        golden = network.logits(values)
        top1 = golden.argmax(1)
        ordered = np.sort(golden, 1)
        scale = np.float32(network.scale[network.graph[-1]["name"]])
        margin = ordered[:, -1].astype(np.float32) * scale - ordered[:, -2].astype(np.float32) * scale
        for name, got, want in (("label", labels, campaign["golden/label"]), ("top1", top1, campaign["golden/top1"]),
                                ("margin", margin, campaign["golden/margin"])):
            different = int((got != np.asarray(want)).sum())
            print(f"golden {name}: {different} of {count} images differ")
            wrong += different
        layers = [Network.text(name) for name in campaign["layers/name"]]
        rows = np.random.default_rng(arguments.seed).permutation(len(campaign["faults/layer"]))[:arguments.faults]
        harmful = differing = 0
        last = None
        for row in sorted(rows, key=lambda k: (campaign["faults/layer"][k], k)):
            layer = layers[campaign["faults/layer"][row]]
            if layer != last:
                network.keep_columns(layer, values)
                last = layer
            parameter = int(campaign["faults/parameter"][row])
            mask = int(campaign["faults/mask"][row])
            bits = network.word_bits[layer + ".weight"]
            weights = network.codes(layer + ".weight").copy()
            word = int(network.words[layer + ".weight"].ravel()[parameter]) ^ mask
            weights.ravel()[parameter] = word - (1 << bits) if word >= 1 << (bits - 1) else word
            faulty = network.logits(network.values(pixels, (layer, weights), values)).argmax(1)
            outcomes = campaign["outcomes"]
            got = [count, int((faulty == labels).sum()), int((faulty != top1).sum())]
            want = [int(outcomes[name][row]) for name in ("evaluated", "correct", "mismatches")]
            harmful += got[2] > 0
            if got != want or outcomes["nonfinite"][row] != 0:
                differing += 1
                print(f"fault {row} ({layer}, weight {parameter}, mask {mask:#x}): evaluated, correct, mismatches {got}, "
                      f"campaign.h5 says {want}")
        print(f"{len(rows)} faults, {harmful} of them change a prediction: {differing} differ")
        wrong += differing
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
