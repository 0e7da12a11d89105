#!/usr/bin/env python3
"""Import of TorchScript: networks made in PyTorch, scripted and traced, come out as what they are, campaigns on them
agree with PyTorch, and what cannot be imported is refused with the reason."""

import concurrent.futures
import importlib.util
import io
import json
import os
import pathlib
import struct
import sys
import warnings
import zipfile
from typing import List, Tuple

import h5py
import numpy as np
import pipeline
from pipeline import DATA, IO, USAGE, PipelineTest

if importlib.util.find_spec("torch") is None:
    print("skipped: needs PyTorch; Debian: apt install python3-torch")
    sys.exit(77)

import check_transient_with_pytorch as check_transient
import check_with_pytorch as check
import torch
import torch.nn.functional as F
from torch import nn

MEAN, STD = [0.3, 0.35, 0.4], [0.2, 0.25, 0.3]
JOB = """
[job]
name = "import"
[data]
kind = "cifar10"
path = "{data}"
mean = {mean}
std = {std}
[campaign]
scheme = "layer_wise"
limit = {limit}
tolerances = [0.05, 0.2]
[device]
kind = "cpu"
"""


# --- Networks of 3×32×32 images and 10 classes ------------------------------------------------------------------


class Vgg(nn.Module):
    """Batch norm with and without parameters, in-place ReLU, dropout in both parts, a convolution without bias."""

    def __init__(self):
        super().__init__()
        layers = []
        inputs = 3
        for outputs in (8, 0, 12, 12, 0, 16, 0):
            if outputs == 0:
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=outputs != 12),
                       nn.BatchNorm2d(outputs, affine=outputs != 16, eps=1e-3), nn.ReLU(inplace=True)]
            inputs = outputs
        self.features = nn.Sequential(*layers, nn.Dropout2d(0.1))
        self.classifier = nn.Sequential(nn.Linear(16 * 16, 32), nn.BatchNorm1d(32), nn.ReLU(True), nn.Dropout(),
                                        nn.Linear(32, 10))

    def forward(self, x):
        x = self.features(x)
        x = x.view(x.size(0), -1)
        return self.classifier(x)


class Block(nn.Module):
    def __init__(self, inputs, planes, stride, option_a):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.zeros = planes - inputs
        self.option_a = option_a
        self.downsample = nn.Sequential()
        if not option_a and (stride != 1 or inputs != planes):
            self.downsample = nn.Sequential(nn.Conv2d(inputs, planes, 1, stride), nn.BatchNorm2d(planes))

    def forward(self, x):
        out = self.bn2(self.conv2(torch.relu_(self.bn1(self.conv1(x)))))
        if self.option_a and self.zeros > 0:
            before = self.zeros // 2
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, before, self.zeros - before), "constant", 0.0)
        else:
            x = self.downsample(x)
        out += x
        return F.relu(out)


class ResNet(nn.Module):
    """Both kinds of shortcut; the first block adds its input after that was changed in place."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Block(8, 8, 1, True), Block(8, 12, 2, True))
        self.layer2 = nn.Sequential(Block(12, 16, 2, False), Block(16, 16, 1, False))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        y = x.relu_()
        x = self.layer2(self.layer1(y + x))
        x = self.avgpool(x)
        return self.fc(torch.flatten(x, 1))


class Mobile(nn.Module):
    """Groups, depthwise, strides, the three spellings of ReLU6, average pools, concatenation, paddings."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 8, 3, stride=2, bias=False),
                                  nn.BatchNorm2d(8), nn.ReLU6(inplace=True))
        self.depthwise = nn.Conv2d(8, 8, 3, padding="same", groups=8)
        self.pointwise = nn.Conv2d(8, 12, 1, bias=False)
        self.bn = nn.BatchNorm2d(12)
        self.grouped = nn.Conv2d(12, 8, 5, stride=2, padding=2, groups=4)
        self.pool = nn.AvgPool2d(3, stride=2, padding=1)
        self.branch = nn.Conv2d(12, 4, 1, padding="valid")
        self.dense = nn.ModuleList([nn.Conv2d(24, 6, 3, padding=1), nn.Conv2d(30, 6, 3, padding=1)])
        self.head = nn.Linear(36, 10)

    def forward(self, x):
        x = F.relu6(self.pointwise(F.hardtanh(self.depthwise(self.stem(x)), 0.0, 6.0)))
        x = self.bn(x)
        x = torch.cat([torch.clamp(self.grouped(x), 0, 6), self.branch(self.pool(x)), F.avg_pool2d(x, 2)], dim=1)
        features = [x]
        for layer in self.dense:
            features.append(F.relu(layer(torch.cat(features, 1))))
        x = F.adaptive_avg_pool2d(torch.cat(features, 1), (4, 4))
        return self.head(x.mean([2, 3]))


class HandWritten(nn.Module):
    """Linear layers as products, shape arithmetic, loops, functions, squeezes, and the logits as a slice's sum."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 5, stride=3)
        self.squeeze = nn.Conv2d(8, 16, 3, stride=2)
        self.first = nn.Linear(16, 24)
        self.second = nn.Linear(24, 24, bias=False)
        self.third = nn.Linear(24, 10)
        self.repeat = 2

    def flat_features(self, x):
        count = 1
        for size in x.size()[1:]:
            count *= size
        return count

    def forward(self, x):
        x = F.relu(self.conv(x.contiguous()))
        for k in range(self.repeat):
            x = F.max_pool2d(x, 2, stride=1) if k % 2 == 0 else F.relu(x)
        x = self.squeeze(x[:, :, 1:, :-1])
        x = torch.cat([x[:, 8:], x[:, :8]], 1)
        x = F.avg_pool2d(x, 3)
        x = x.squeeze(3).squeeze(-1).unsqueeze(2)
        x = x.view(-1, self.flat_features(x))
        x = torch.relu(x @ self.first.weight.t() + self.first.bias)
        x = torch.matmul(x, self.second.weight.transpose(0, 1)).clamp(min=0)
        return torch.addmm(self.third.bias, x, self.third.weight.t())


class Excite(nn.Module):
    """Squeeze and excite, with swish as a layer and as a product; dilated convolutions."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.dilated = nn.Conv2d(8, 12, 3, padding="same", dilation=2, bias=False)
        self.bn = nn.BatchNorm2d(12)
        self.squeeze = nn.Conv2d(12, 4, 1)
        self.excite = nn.Conv2d(4, 12, 1)
        self.wide = nn.Conv2d(12, 12, 3, stride=2, padding=2, dilation=3, groups=3)
        self.head = nn.Linear(12, 10)

    def forward(self, x):
        x = F.silu(self.stem(x))
        x = self.bn(self.dilated(x))
        x = x * torch.sigmoid(x)
        gate = torch.sigmoid(self.excite(F.silu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))))
        x = gate * x
        x = F.relu(self.wide(x))
        return self.head(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


NETWORKS = {"vgg": Vgg, "resnet": ResNet, "mobile": Mobile, "hand_written": HandWritten, "excite": Excite}
# What the graph adds to the state dict: batch norms without parameters.
ADDED = {"vgg": {"features.12.weight": 1, "features.12.bias": 0}}


def train(network, images, labels):
    """A few steps, so that predictions differ and batch norms have statistics."""
    torch.manual_seed(5)
    optimiser = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9)
    network.train()
    for _ in range(8):
        for batch in torch.randperm(len(images)).split(20):
            loss = F.cross_entropy(network(images[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()


def rebuild(model, images):
    """Logits of a model.h5 by its own graph and parameters, after SCHEMA.md alone."""
    nodes = json.loads(model["graph"][()])
    values = {}
    for node in nodes:
        a = [values[name] for name in node["inputs"]]
        p = {path.rpartition(".")[2]: torch.from_numpy(value[...]) for path, value in model["parameters"].items()
             if path.rpartition(".")[0] == node["name"]}
        op = node["op"]
        if op == "input":
            y = images
        elif op == "conv2d":
            y = F.conv2d(a[0], p["weight"], p.get("bias"), node["stride"], node["padding"],
                         node.get("dilation", 1), node["groups"])
        elif op == "linear":
            y = F.linear(a[0], p["weight"], p.get("bias"))
        elif op == "batch_norm":
            y = F.batch_norm(a[0], p["running_mean"], p["running_var"], p["weight"], p["bias"], eps=node["epsilon"])
        elif op == "relu":
            y = F.relu(a[0])
        elif op == "relu6":
            y = F.relu6(a[0])
        elif op == "sigmoid":
            y = torch.sigmoid(a[0])
        elif op == "silu":
            y = F.silu(a[0])
        elif op == "multiply":
            y = a[0] * a[1]
        elif op == "max_pool2d":
            y = F.max_pool2d(a[0], node["kernel"], node["stride"], node.get("padding", 0))
        elif op == "avg_pool2d":
            y = F.avg_pool2d(a[0], node["kernel"], node["stride"])
        elif op == "global_avg_pool":
            y = a[0].mean((2, 3), keepdim=True)
        elif op == "add":
            y = a[0] + a[1]
        elif op == "pad":
            y = F.pad(a[0], [node[side] for side in ("left", "right", "top", "bottom", "channels_before",
                                                     "channels_behind")])
        elif op == "slice":
            taken = [slice(None)] * 4
            taken[node["dimension"] + 1] = slice(node["start"], node["end"], node["step"])
            y = a[0][tuple(taken)]
        elif op == "concat":
            y = torch.cat(a, 1)
        elif op == "flatten":
            y = a[0].flatten(1)
        else:
            raise AssertionError(f"operation '{op}'")
        if list(y.shape[1:]) != node["shape"]:
            raise AssertionError(f"{node['name']}: shape {list(y.shape[1:])}, the file says {node['shape']}")
        values[node["name"]] = y
    return values[nodes[-1]["name"]]


class Import(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        torch.set_num_threads(1)
        cls.data = cls.folder / "data"
        pipeline.write_cifar_dataset(cls.data, 200, 60)
        cls.job.write_text(JOB.format(data=cls.data, mean=MEAN, std=STD, limit=800))
        pixels, labels = check.read_test_set(cls.data)
        cls.labels = labels
        cls.images = cls.normalised(pixels)
        records = np.concatenate([np.fromfile(cls.data / f"data_batch_{k}.bin", np.uint8) for k in range(1, 6)])
        records = records.reshape(-1, 3073)
        cls.train_images = cls.normalised(records[:, 1:].reshape(-1, 3, 32, 32))
        cls.train_labels = torch.from_numpy(records[:, 0].astype(np.int64))

    @staticmethod
    def normalised(pixels):
        mean, std = np.float32(MEAN).reshape(-1, 1, 1), np.float32(STD).reshape(-1, 1, 1)
        return torch.from_numpy((pixels.astype(np.float32) / np.float32(255) - mean) / std)

    def import_model(self, module, name, *options):
        file, out = self.folder / f"{name}.pt", self.folder / name
        module.save(str(file))
        result = self.complete("import", file, self.job, "--to", out / "model.h5", *options)
        return out, result

    def test_networks(self):
        kinds = set()
        for name, make in NETWORKS.items():
            torch.manual_seed(3)
            network = train(make(), self.train_images, self.train_labels)
            graphs = []
            for way, module in (("script", torch.jit.script(network)),
                                ("trace", torch.jit.trace(network, torch.zeros(2, 3, 32, 32)))):
                with self.subTest(network=name, way=way):
                    out, result = self.import_model(module, f"{name}_{way}")
                    self.assertRegex(result.err, "32 images of noise: .* 0 with another top-1")
                    self.assertRegex(result.err, "60 test images: .* 0 with another top-1")
                    with h5py.File(out / "model.h5") as model:
                        graphs.append(self.check_model(model, network, ADDED.get(name, {})))
                        kinds |= {node["op"] for node in json.loads(model["graph"][()])}
                    self.check_campaign(out, network)
            self.assertEqual(len(graphs), 2)
            self.assertEqual(graphs[0], graphs[1], f"{name}: the scripted and the traced network differ")
        self.assertEqual(kinds, {"input", "conv2d", "linear", "batch_norm", "relu", "relu6", "max_pool2d", "avg_pool2d",
                                 "global_avg_pool", "add", "pad", "slice", "concat", "flatten", "sigmoid", "silu",
                                 "multiply"})

    def check_model(self, model, network, added):
        """Parameters are the state dict, bit for bit, and the graph computes what the network does."""
        self.assertEqual(check.text(model.attrs["arch"]), "torchscript")
        self.assertEqual(list(model.attrs["input_shape"]), [3, 32, 32])
        self.assertEqual(int(model.attrs["num_classes"]), 10)
        np.testing.assert_array_equal(model.attrs["mean"], np.float32(MEAN))
        np.testing.assert_array_equal(model.attrs["std"], np.float32(STD))
        expected = {key: value.numpy() for key, value in network.state_dict().items()
                    if not key.endswith("num_batches_tracked")}
        found = {key: value[...] for key, value in model["parameters"].items()}
        self.assertEqual(sorted(found), sorted(list(expected) + list(added)))
        for key, value in expected.items():
            self.assertEqual(found[key].tobytes(), value.tobytes(), key)
            self.assertEqual(found[key].shape, value.shape, key)
        for key, value in added.items():
            self.assertTrue((found[key] == value).all(), key)
        torch.manual_seed(11)
        for images in (torch.randn(32, 3, 32, 32), self.images):
            with torch.inference_mode():
                logits = network(images)
                error = (rebuild(model, images) - logits).abs().max() / logits.abs().max()
            self.assertLess(float(error), 1e-5)
        correct = int((check.logits_of(network, self.images).argmax(1) == self.labels).sum())
        self.assertAlmostEqual(float(model.attrs["test_accuracy"]), correct / len(self.labels))
        return check.text(model["graph"][()])

    def check_campaign(self, out, network):
        """Golden predictions and faults of a campaign on the imported network, against the module itself."""
        self.complete("inject", self.job, "--out", out, "--set", f"model.file={out / 'model.h5'}")
        images = self.images
        with h5py.File(out / "campaign.h5") as campaign, h5py.File(out / "model.h5") as model:
            names = [check.text(name) for name in campaign["layers/name"][:]]
            weights = [key[: -len(".weight")] for key, value in network.state_dict().items()
                       if key.endswith(".weight") and value.dim() > 1]
            self.assertEqual(sorted(names), sorted(weights))
            golden, order, _ = check.check_golden(campaign, check.logits_of(network, images), self.labels,
                                                  float(model.attrs["test_accuracy"]))
            rows = check.choose_faults(campaign, 60, 1, True)
            seen = [check.check_fault(row, campaign, network, images, golden, order) for row in rows]
        self.assertGreater(seen.count("changed") + seen.count("stopped"), 10, "hardly a fault has an effect")

    def test_transient(self):
        """Faults in the feature maps and instructions of an imported network, against the module itself."""
        torch.manual_seed(3)
        network = train(Excite(), self.train_images, self.train_labels)
        out, _ = self.import_model(torch.jit.script(network), "transient")
        for target in ("feature_maps", "instructions"):
            for backend in ("native", "libtorch"):
                with self.subTest(target=target, backend=backend):
                    self.complete("inject", self.job, "--out", out / f"{target}-{backend}", "--set",
                                  f"model.file={out / 'model.h5'}", "--set", f"campaign.target={target}", "--set",
                                  f"campaign.backend={backend}", "--set", "campaign.scheme=layer_wise", "--set",
                                  "campaign.limit=240")
                    with h5py.File(out / f"{target}-{backend}" / "campaign.h5") as campaign:
                        golden = {name: column[:] for name, column in campaign["golden"].items()}
                        changed = int(campaign["outcomes/mismatches"][:].sum())
                        for row in range(len(campaign["outcomes/drop"])):
                            check_transient.check_fault(row, campaign, network, self.images, golden)
                    self.assertGreater(changed, 5, "hardly a fault has an effect")

    def test_frozen(self):
        """A module frozen without folding: the values are there, the names are not."""
        torch.manual_seed(3)
        network = train(Vgg(), self.train_images[:60], self.train_labels[:60])
        module = torch.jit.freeze(torch.jit.script(network), optimize_numerics=False)
        out, result = self.import_model(module, "frozen")
        self.assertIn("parameter(s) that the state dict does not have: conv2d.weight", result.err)
        with h5py.File(out / "model.h5") as model, torch.inference_mode():
            expected = network(self.images)
            self.assertLess(float((rebuild(model, self.images) - expected).abs().max() / expected.abs().max()), 1e-5)
            np.testing.assert_array_equal(model["parameters/conv2d.weight"], network.features[0].weight.numpy())

    def test_again(self):
        """The same import does nothing; another one does not overwrite, unless told to."""
        torch.manual_seed(3)
        out, _ = self.import_model(torch.jit.script(Vgg().eval()), "again")
        before = pipeline.digests(out)
        file = self.folder / "again.pt"
        again = self.complete("import", file, self.job, "--to", out / "model.h5")
        self.assertIn("up to date", again.err)
        torch.jit.script(Vgg().eval()).save(str(file))
        other = self.run_flipstorm("import", file, self.job, "--to", out / "model.h5")
        self.assert_code(other, USAGE)
        self.assertIn("--fresh", other.err)
        self.assertEqual(pipeline.digests(out), before)
        self.complete("import", file, self.job, "--to", out / "model.h5", "--fresh")
        self.assertNotEqual(pipeline.digests(out), before)


# --- What is refused --------------------------------------------------------------------------------------------


class Net(nn.Module):
    """A small network, to be spoilt by the classes below."""

    def __init__(self, inputs=3, classes=10):
        super().__init__()
        self.conv = nn.Conv2d(inputs, 4, 3, padding=1)
        self.fc = nn.Linear(4, classes)

    def features(self, x):
        return F.relu(self.conv(x))

    def head(self, x):
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))

    def forward(self, x):
        return self.head(self.features(x))


class Spoilt(Net):
    """The small network with another layer in front."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.head(self.features(self.layer(x)))


class Softmax(Net):
    def forward(self, x):
        return F.softmax(self.head(self.features(x)), 1)  # refused here


class Branch(Net):
    def forward(self, x):
        x = self.features(x)
        if x.sum() > 0:
            x = -x
        return self.head(x)


class TwoInputs(Net):
    def forward(self, x, y):
        return self.head(self.features(x + y))


class ListOfInputs(Net):
    def forward(self, xs: List[torch.Tensor]):
        return self.head(self.features(xs[0]))


class TwoOutputs(Net):
    def forward(self, x):
        x = self.features(x)
        return self.head(x), x


class Twice(Net):
    def __init__(self):
        super().__init__()
        self.again = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        return self.head(self.again(self.again(self.features(x))))


class Tied(Twice):
    def __init__(self):
        super().__init__()
        self.other = nn.Conv2d(4, 4, 1)
        self.other.weight = self.again.weight

    def forward(self, x):
        return self.head(self.other(self.again(self.features(x))))


class Scaled(Net):
    def forward(self, x):
        return self.head(F.conv2d(x, self.conv.weight * 0.5, self.conv.bias, padding=1))


class Alpha(Net):
    def forward(self, x):
        x = self.features(x)
        return self.head(torch.add(x, x, alpha=2))


class AddOne(Net):
    def forward(self, x):
        return self.head(self.features(x) + 1)


class MeanOfChannels(Net):
    def forward(self, x):
        return self.features(x).mean(1)


class FixedBatch(Net):
    def forward(self, x):
        return self.fc(F.adaptive_avg_pool2d(self.features(x), 1).view(2, 4))


class BatchArithmetic(Net):
    def forward(self, x):
        x = self.features(x)
        return self.head(x.view(x.size(0) * 4, 1, 32, 32).view(-1, 4, 32, 32))


class SomeImages(Net):
    def forward(self, x):
        return self.head(self.features(x[1:]))


class PadOnes(Net):
    def forward(self, x):
        return self.head(self.features(F.pad(x, [1, 1, 1, 1], "constant", 1.0)))


class ThroughAView(Net):
    def forward(self, x):
        x = self.conv(x)
        flat = torch.flatten(x, 1)
        flat.relu_()
        return self.head(x)


class Counting(Net):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.head(self.features(x))


class Noisy(Net):
    def forward(self, x):
        return self.head(self.features(x) + torch.rand([4, 32, 32]))


class Raises(Net):
    def forward(self, x):
        if x.size(2) != 28:
            raise ValueError("28 pixels, please")
        return self.head(self.features(x))


def relu_hook(self, input: Tuple[torch.Tensor], output: torch.Tensor):
    return torch.relu(output)


def with_nan():
    network = Net()
    with torch.no_grad():
        network.conv.weight[1, 2, 0, 1] = float("nan")
    return network


def with_hook():
    network = Net()
    network.register_forward_hook(relu_hook)
    return network


def line_of(text):
    """Number of the line of this file that ends so."""
    lines = pathlib.Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.endswith(text))


SCRIPT, TRACE, TRACE_TRAINING = "script", "trace", "trace in training mode"
# Name, network, ways to save it, phrases of the message; code 65.
REFUSED = [
    ("channels", lambda: Net(inputs=1), (SCRIPT, TRACE), ["'conv'", "its input has 3 channels, it takes 1", "[3, 32, 32]"]),
    ("size", lambda: nn.Sequential(nn.Flatten(), nn.Linear(300, 10)), (SCRIPT,), ["aten::linear", "[3072]", "[300]"]),
    ("fewer outputs than classes", lambda: Net(classes=2), (SCRIPT, TRACE),
     ["has 2 outputs", "is not in 0 … 1 (2 classes)", "data_batch_1.bin'", "data.label_offset"]),
    ("NaN", with_nan, (SCRIPT,), ["'conv.weight', element 46 is nan"]),
    ("double", lambda: Net().double(), (SCRIPT,), ["weight = 'conv.weight' has type Double", ".float()"]),
    ("softmax", Softmax, (SCRIPT, TRACE), ["aten::softmax", f"test_import.py:{line_of('# refused here')}"]),
    ("log-softmax", lambda: nn.Sequential(Net(), nn.LogSoftmax(1)), (SCRIPT,), ["aten::log_softmax in module '1'", "logits"]),
    ("GELU", lambda: Spoilt(nn.GELU()), (SCRIPT, TRACE), ["aten::gelu in module 'layer'", "an operation that"]),
    ("LeakyReLU", lambda: Spoilt(nn.LeakyReLU()), (SCRIPT,), ["aten::leaky_relu in module 'layer'"]),
    ("dilation", lambda: Spoilt(nn.Conv2d(3, 3, 3, dilation=(1, 2))), (SCRIPT, TRACE), ["convolution|conv2d", "'layer'", "dilation = [1, 2]", "conv.py"]),
    ("non-square kernel", lambda: Spoilt(nn.Conv2d(3, 3, (3, 1))), (SCRIPT, TRACE), ["kernel_size = [3, 1]"]),
    ("non-square stride", lambda: Spoilt(nn.Conv2d(3, 3, 3, stride=(1, 2))), (SCRIPT,), ["stride = [1, 2]"]),
    ("non-square pool", lambda: Spoilt(nn.MaxPool2d((2, 1))), (SCRIPT,), ["aten::max_pool2d", "kernel_size = [2, 1]"]),
    ("transposed", lambda: Spoilt(nn.ConvTranspose2d(3, 3, 3)), (SCRIPT, TRACE), ["conv_transpose2d|transposed = True"]),
    ("reflected padding", lambda: Spoilt(nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect")), (SCRIPT,), ["aten::pad", "mode = reflect"]),
    ("ones around", PadOnes, (SCRIPT, TRACE), ["aten::pad", "value = 1", "it must be 0"]),
    ("max-pool ceil_mode", lambda: Spoilt(nn.MaxPool2d(2, ceil_mode=True)), (SCRIPT, TRACE), ["aten::max_pool2d in module 'layer'", "ceil_mode = True"]),
    ("avg-pool ceil_mode", lambda: Spoilt(nn.AvgPool2d(3, ceil_mode=True)), (SCRIPT,), ["aten::avg_pool2d", "ceil_mode = True"]),
    ("avg-pool without its padding", lambda: Spoilt(nn.AvgPool2d(3, padding=1, count_include_pad=False)), (SCRIPT,), ["count_include_pad = False"]),
    ("uneven adaptive pool", lambda: Spoilt(nn.AdaptiveAvgPool2d(7)), (SCRIPT,), ["output_size = [7, 7]", "32×32"]),
    ("hardtanh", lambda: Spoilt(nn.Hardtanh(-1.0, 1.0)), (SCRIPT,), ["aten::hardtanh", "min_val = -1"]),
    ("batch statistics", lambda: Spoilt(nn.BatchNorm2d(3, track_running_stats=False)), (SCRIPT, TRACE), ["aten::batch_norm", "training = True"]),
    ("traced dropout", lambda: Spoilt(nn.Dropout()), (TRACE_TRAINING,), ["aten::dropout", "train = True", "model.eval()"]),
    ("traced batch norm", lambda: Spoilt(nn.BatchNorm2d(3)), (TRACE_TRAINING,), ["it changes 'layer.num_batches_tracked'", "model.eval()"]),
    ("instance norm", lambda: Spoilt(nn.InstanceNorm2d(3)), (SCRIPT,), ["aten::instance_norm in module 'layer'"]),
    ("branch on the image", Branch, (SCRIPT,), ["aten::sum", "test_import.py"]),
    ("two inputs", TwoInputs, (SCRIPT,), ["2 inputs (x, y)"]),
    ("list of inputs", ListOfInputs, (SCRIPT,), ["xs", "List[Tensor]"]),
    ("two outputs", TwoOutputs, (SCRIPT,), ["returns", "one tensor, the logits"]),
    ("module used twice", Twice, (SCRIPT, TRACE), ["'again' are used a second time"]),
    ("tied weights", Tied, (SCRIPT, TRACE), ["'again' and 'other' share one weight|'again' are used a second time"]),
    ("computed weight", Scaled, (SCRIPT, TRACE), ["weight", "computed"]),
    ("alpha", Alpha, (SCRIPT, TRACE), ["aten::add", "alpha = 2"]),
    ("constant added", AddOne, (SCRIPT,), ["aten::add", "other = 1"]),
    ("mean of channels", MeanOfChannels, (SCRIPT,), ["aten::mean", "dim = [1]"]),
    ("fixed batch", FixedBatch, (SCRIPT, TRACE), ["aten::view", "size = [2, 4]", "traced"]),
    ("batch arithmetic", BatchArithmetic, (SCRIPT,), ["aten::mul", "batch size"]),
    ("some of the images", SomeImages, (SCRIPT,), ["aten::slice", "some of the images"]),
    ("changed through a view", ThroughAView, (SCRIPT, TRACE), ["aten::adaptive_avg_pool2d", "changed in place by aten::relu_"]),
    ("changes itself", Counting, (SCRIPT,), ["prim::SetAttr", "'calls'"]),
    ("random", Noisy, (SCRIPT,), ["aten::rand", "random"]),
    ("raises", Raises, (SCRIPT,), ["prim::RaiseException", "28 pixels, please"]),
    ("hook", with_hook, (SCRIPT,), ["forward hook"]),
    ("no network", lambda: nn.Sequential(), (SCRIPT,), ["output has shape [3, 32, 32]"]),
]


class Refusals(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        data = cls.folder / "data"
        pipeline.write_cifar_dataset(data, 50, 10)
        cls.job.write_text(JOB.format(data=data, mean=MEAN, std=STD, limit=40))

    def run_import(self, file):
        to = file.with_suffix(".refused.h5")
        return self.run_flipstorm("import", file, self.job, "--to", to), list(self.folder.glob(f"*{to.name}*"))

    def check(self, file, outcome, code, phrases):
        result, left = outcome
        self.assert_code(result, code)
        self.assertIn(str(file), result.err)
        for phrase in phrases:
            self.assertTrue(any(each in result.err for each in phrase.split("|")), f"no '{phrase}'\n{result}")
        self.assertEqual(sum(line.startswith("flipstorm") for line in result.err.splitlines()), 1, str(result))
        for text in ("terminate called", "what():", "Exception raised from", "frame #"):
            self.assertNotIn(text, result.err, str(result))
        self.assertEqual(left, [], "a refused import left a file")

    def refuse(self, file, code, phrases):
        self.check(file, self.run_import(file), code, phrases)

    def test_networks(self):
        cases = [(name, make, way, phrases) for name, make, ways, phrases in REFUSED for way in ways]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            pending = []
            for number, (_, make, way, _) in enumerate(cases):
                file = self.folder / f"network{number}.pt"
                self.save(make, way, file)
                pending.append((file, pool.submit(self.run_import, file)))
            for (name, _, way, phrases), (file, outcome) in zip(cases, pending):
                with self.subTest(name, way=way):
                    if os.environ.get("FLIPSTORM_TEST_SHOW"):
                        print(f"{name}, {way}: {outcome.result()[0].err}")
                    self.check(file, outcome.result(), DATA, phrases)

    @staticmethod
    def save(make, way, file):
        torch.manual_seed(2)
        network = make()
        if way != TRACE_TRAINING:
            network.eval()
        if way == SCRIPT:
            torch.jit.script(network).save(str(file))
            return
        image = torch.zeros(2, next(network.parameters()).shape[1], 32, 32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            torch.jit.trace(network, image, check_trace=False).save(str(file))

    @staticmethod
    def archive(members):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return content.getvalue()

    def test_files(self):
        file = self.folder / "file.pt"
        torch.jit.script(Net().eval()).save(str(file))
        whole = file.read_bytes()
        with zipfile.ZipFile(file) as archive:
            members = {info.filename.partition("/")[2]: info for info in archive.infolist()}

        def flipped(member):
            """The file with one bit of a member flipped."""
            header = members[member].header_offset
            name_size, extra_size = struct.unpack_from("<2H", whole, header + 26)
            content = bytearray(whole)
            content[header + 30 + name_size + extra_size + members[member].compress_size // 2] ^= 1
            return bytes(content)

        directory = whole.rindex(b"PK\1\2")
        for name, content, phrases in (
            ("empty", b"", ["no TorchScript file", "torch.jit.script"]),
            ("text", b"a text\n" * 1000, ["no TorchScript file"]),
            ("truncated", whole[: len(whole) // 2], ["truncated"]),
            ("cut at its end", whole[:-100], ["truncated"]),
            ("damaged weight", flipped("data/0"), ["data/0", "checksum"]),
            ("damaged code", flipped("code/__torch__.py"), ["code/__torch__.py", "checksum"]),
            ("damaged directory", whole[:directory] + b"PK\1\3" + whole[directory + 4:], ["damaged", "directory"]),
            ("position beyond the end", whole[:directory + 42] + b"\xf0" * 4 + whole[directory + 46:], ["damaged"]),
            ("another archive", self.archive({"x.txt": b"a text"}), ["no TorchScript file"]),
            ("code of no language", self.archive({"n/code/__torch__.py": b"((", "n/data.pkl": b"\x80\x02N.",
                                                  "n/constants.pkl": b"\x80\x02).", "n/version": b"3\n"}), ["corrupt"]),
        ):
            with self.subTest(name):
                file.write_bytes(content)
                self.refuse(file, IO, phrases)
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            contents = {info.filename: archive.read(info) for info in archive.infolist()}
        root = next(iter(contents)).partition("/")[0]
        source = next(name for name in contents if name.endswith("__torch__.py"))
        record = f"{root}/data/0"
        for name, changed, phrases in (
            ("weights that are not all there", {record: contents[record][:-8]}, ["data.pkl", "bytes in the file"]),
            ("weights that are not there", {record: None}, ["data.pkl", "is not in the file"]),
            ("no pickle", {f"{root}/data.pkl": b"no pickle"}, ["data.pkl", "does not use"]),
            ("deep values", {f"{root}/data.pkl": b"\x80\x02" + b"(" * 200000 + b"t" * 200000 + b"."}, ["data.pkl", "deep"]),
            ("deep code", {source: b"def f(x):\n  return " + b"(" * 20000 + b"x" + b")" * 20000}, ["__torch__.py", "line 2"]),
            ("signs", {source: b"def f(x):\n  return " + b"-" * 50000 + b"x\n"}, ["__torch__.py", "line 2"]),
        ):
            with self.subTest(name):
                file.write_bytes(self.archive({each: data for each, data in {**contents, **changed}.items() if data is not None}))
                self.refuse(file, DATA, phrases)
        for name, zipped in (("state dict", True), ("old state dict", False)):
            with self.subTest(name):
                torch.save(Net().state_dict(), file, _use_new_zipfile_serialization=zipped)
                self.refuse(file, IO, ["no TorchScript file", "torch.jit.script"])
        with self.subTest("missing"):
            self.refuse(self.folder / "none.pt", IO, ["No such file"])
        with self.subTest("a folder"):
            self.refuse(self.folder / "data", IO, ["folder|directory"])


if __name__ == "__main__":
    pipeline.main()
