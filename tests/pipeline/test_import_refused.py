#!/usr/bin/env python3
"""Import of TorchScript: what cannot be imported is refused with the reason, and leaves nothing behind."""

import concurrent.futures
import importlib.util
import io
import os
import pathlib
import struct
import sys
import warnings
import zipfile
from typing import List, Tuple

import pipeline
from pipeline import DATA, IO, PipelineTest

if importlib.util.find_spec("torch") is None:
    print("skipped: needs PyTorch; Debian: apt install python3-torch")
    sys.exit(77)

import torch
import torch.nn.functional as F
from import_networks import JOB, MEAN, STD
from torch import nn


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
    ("softmax", Softmax, (SCRIPT, TRACE), ["aten::softmax", f"test_import_refused.py:{line_of('# refused here')}"]),
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
    ("branch on the image", Branch, (SCRIPT,), ["aten::sum", "test_import_refused.py"]),
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
