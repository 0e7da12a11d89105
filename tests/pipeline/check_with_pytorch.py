#!/usr/bin/env python3
"""Check a campaign with PyTorch alone: rebuild the network, put the faults into its words, count.

    check_with_pytorch.py OUT_FOLDER DATA_FOLDER [--faults 50] [--seed 1] [--effect]

OUT_FOLDER holds model.h5 and campaign.h5, DATA_FOLDER the IDX files of the data set or the binary files of CIFAR-10 or
CIFAR-100. The network is LeNet-5 or a residual network, in any variant. Nothing of flipstorm is used but its two files. Exit codes: 0 all agree, 1 not, 77 a Python module is missing.

Without a fault: the label and the top-1 of every image have to be equal, and the margin (largest logit minus the
second) within 1e-4; that is what campaign.h5 holds of the logits.

With a fault: correct, mismatches and nonfinite have to be equal. Where evaluation ended early they are counted on
as many images in flipstorm's order: those that the network gets wrong without a fault, then by rising margin; and
the drop on all images has to keep the bound. The faults are drawn at random from all; with --effect, half of them
from those that changed a prediction or ended early.

Two programs round differently. Where counts differ, the message therefore says how many images are a near-tie (their
two largest logits closer than 1e-4 of the larger); it is a difference all the same.
"""

import argparse
import gzip
import pathlib
import sys

try:
    import tomllib  # Python 3.11

    import h5py
    import numpy as np
    import torch
except ImportError as missing:
    print(f"skipped: needs h5py, numpy and torch ({missing}); Debian: apt install python3-h5py python3-torch")
    sys.exit(77)

NEAR_TIE = 1e-4
MARGIN_ERROR = 1e-4
COUNTS = ("correct", "mismatches", "nonfinite")
BATCH = 500


# The stages of a residual network: channels of the first, blocks of each.
RESNETS = {
    "resnet18": (64, (2, 2, 2, 2)),
    "resnet8": (16, (1, 1, 1)),
    "resnet20": (16, (3, 3, 3)),
    "resnet32": (16, (5, 5, 5)),
    "resnet44": (16, (7, 7, 7)),
    "resnet56": (16, (9, 9, 9)),
}


class LeNet5(torch.nn.Module):
    def __init__(self, channels, classes, flat, activation):
        super().__init__()
        self.act = activation
        self.conv1 = torch.nn.Conv2d(channels, 6, 5, padding=2)
        self.conv2 = torch.nn.Conv2d(6, 16, 5)
        self.fc1 = torch.nn.Linear(flat, 120)
        self.fc2 = torch.nn.Linear(120, 84)
        self.fc3 = torch.nn.Linear(84, classes)

    def forward(self, x):
        x = torch.max_pool2d(self.act(self.conv1(x)), 2)
        x = torch.max_pool2d(self.act(self.conv2(x)), 2)
        x = self.act(self.fc1(torch.flatten(x, 1)))
        return self.fc3(self.act(self.fc2(x)))


def conv3x3(inputs, outputs, stride):
    return torch.nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)


class ZeroPaddedShortcut(torch.nn.Module):
    """Option A of He et al."""

    def __init__(self, zeros):
        super().__init__()
        self.zeros = zeros

    def forward(self, x):
        return torch.nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.zeros, self.zeros))


class BasicBlock(torch.nn.Module):
    def __init__(self, inputs, planes, stride, activation, variant):
        super().__init__()
        self.act = activation
        self.activation_first = variant["order"] == "conv-act-norm"
        self.conv1 = conv3x3(inputs, planes, stride)
        self.bn1 = torch.nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes, 1)
        self.bn2 = torch.nn.BatchNorm2d(planes)
        self.shortcut = torch.nn.Sequential()
        if stride != 1 or inputs != planes:
            if variant["shortcut"] == "projection":
                self.shortcut = torch.nn.Sequential(
                    torch.nn.Conv2d(inputs, planes, 1, stride, bias=False), torch.nn.BatchNorm2d(planes))
            else:
                self.shortcut = ZeroPaddedShortcut(planes // 4)

    def forward(self, x):
        if self.activation_first:
            out = self.bn1(self.act(self.conv1(x)))
            return self.bn2(self.act(self.conv2(out))) + self.shortcut(x)
        out = self.bn2(self.conv2(self.act(self.bn1(self.conv1(x)))))
        return self.act(out + self.shortcut(x))


class ResNet(torch.nn.Module):
    def __init__(self, channels, classes, stages, activation, variant):
        super().__init__()
        self.act = activation
        self.activation_first = variant["order"] == "conv-act-norm"
        planes, blocks = stages
        self.conv1 = conv3x3(channels, planes, 1)
        self.bn1 = torch.nn.BatchNorm2d(planes)
        self.stages = len(blocks)
        inputs = planes
        for stage, count in enumerate(blocks):
            outputs = planes * 2**stage
            layer = []
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                layer.append(BasicBlock(inputs, outputs, stride, activation, variant))
                inputs = outputs
            self.add_module(f"layer{stage + 1}", torch.nn.Sequential(*layer))
        self.linear = torch.nn.Linear(inputs, classes)

    def forward(self, x):
        x = self.conv1(x)
        x = self.bn1(self.act(x)) if self.activation_first else self.act(self.bn1(x))
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.linear(torch.nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


class Mismatch(Exception):
    pass


def expect(holds, message):
    if not holds:
        raise Mismatch(message)


def read_idx(folder, name):
    for candidate, opener in ((folder / name, open), (folder / (name + ".gz"), gzip.open)):
        if candidate.exists():
            with opener(candidate, "rb") as file:
                content = file.read()
            dims = content[3]
            shape = np.frombuffer(content, ">u4", dims, 4)
            return np.frombuffer(content, np.uint8, offset=4 + 4 * dims).reshape(shape)
    raise SystemExit(f"no '{name}' or '{name}.gz' in '{folder}'")


def read_test_set(folder):
    """Images [N, C, H, W] of bytes and labels of the test set in a folder, IDX or CIFAR."""
    for name, label_bytes in (("test_batch.bin", 1), ("test.bin", 2)):
        if (folder / name).exists():
            records = np.fromfile(folder / name, np.uint8).reshape(-1, label_bytes + 3072)
            return records[:, label_bytes:].reshape(-1, 3, 32, 32), records[:, label_bytes - 1].astype(np.int64)
    images = read_idx(folder, "t10k-images-idx3-ubyte")[:, None]
    return images, read_idx(folder, "t10k-labels-idx1-ubyte").astype(np.int64)


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def load_model(file):
    """The network as a plain PyTorch module, and the normalisation of its input."""
    with h5py.File(file, "r") as model:
        expect(text(model.attrs["format"]) == "fp32", f"{file} is not fp32")
        arch, variant = text(model.attrs["arch"]), tomllib.loads(text(model.attrs["job"]))["model"]
        activation = {"relu": torch.relu, "relu6": torch.nn.functional.relu6}[variant["activation"]]
        parameters = {name: torch.from_numpy(value[...]) for name, value in model["parameters"].items()}
        channels, classes = int(model.attrs["input_shape"][0]), int(model.attrs["num_classes"])
        if arch == "lenet5":
            network = LeNet5(channels, classes, parameters["fc1.weight"].shape[1], activation)
        else:
            expect(arch in RESNETS, f"{file} holds a '{arch}', which this check does not know")
            network = ResNet(channels, classes, RESNETS[arch], activation, variant)
        network.load_state_dict(parameters, strict=True)
        return network.eval(), model.attrs["mean"][:], model.attrs["std"][:], float(model.attrs["test_accuracy"])


def logits_of(network, images):
    with torch.inference_mode():
        return torch.cat([network(images[i:i + BATCH]) for i in range(0, len(images), BATCH)]).numpy()


def near_ties(logits):
    """How many images have a winner that may depend on rounding."""
    top = np.sort(logits[np.isfinite(logits).all(axis=1)].astype(np.float64), axis=1)[:, -2:]
    largest = np.maximum(np.abs(top[:, 0]), np.abs(top[:, 1]))
    return int((top[:, 1] - top[:, 0] < NEAR_TIE * largest).sum())


def tally(logits, labels, golden_top1):
    """correct, mismatches, non-finite; a logit that is not finite makes a misprediction."""
    finite = np.isfinite(logits).all(axis=1)
    top1 = np.where(finite, np.argmax(np.where(np.isfinite(logits), logits, -np.inf), axis=1), -1)
    return int((top1 == labels).sum()), int((top1 != golden_top1).sum()), int((~finite).sum())


def choose_faults(campaign, wanted, seed, effect):
    """Rows drawn without replacement; half of them, if `effect`, from the faults with one."""
    random = np.random.default_rng(seed)
    outcomes = campaign["outcomes"]
    rows = np.arange(len(outcomes["drop"]))
    some = np.zeros(0, int)
    if effect:
        some = random.permutation(rows[(outcomes["mismatches"][:] > 0) | (outcomes["stopped"][:] == 1)])[: wanted // 2]
    others = random.permutation(np.setdiff1d(rows, some))[: wanted - len(some)]
    return np.sort(np.concatenate([some, others]))


def check_golden(campaign, logits, labels, accuracy):
    """All images without a fault. Returns /golden, the images in evaluation order, the largest error of a margin."""
    images = int(campaign.attrs["images"])
    top1 = np.argmax(logits, axis=1)
    correct = int((top1 == labels).sum())
    expect(abs(accuracy * len(labels) - correct) < 1e-3,
           f"test_accuracy is {accuracy}, PyTorch computes {correct / len(labels)} ({near_ties(logits)} near-ties)")
    expect(images <= len(labels), f"{images} images in the campaign, {len(labels)} in the test set")
    golden = {name: column[:] for name, column in campaign["golden"].items()}
    expect(np.array_equal(golden["label"], labels[:images]), "/golden/label is not that of the test set")
    differs = np.flatnonzero(golden["top1"] != top1[:images])
    expect(len(differs) == 0, f"/golden/top1 differs on images {differs} ({near_ties(logits[differs])} near-ties)")
    top = np.sort(logits[:images], axis=1)
    error = np.abs(golden["margin"] - (top[:, -1] - top[:, -2]))
    expect(error.max() < MARGIN_ERROR, f"/golden/margin differs by {error.max()} on image {error.argmax()}")
    right = golden["top1"] == golden["label"]
    expect(int(campaign.attrs["golden_correct"]) == right.sum(), "golden_correct")
    return golden, np.lexsort((golden["margin"], right)), float(error.max())


def faulty_word(word, mask, effect):
    """A stored word with some of its bits flipped (0), stuck at 0 (1) or stuck at 1 (2)."""
    return word ^ mask if effect == 0 else word & ~mask if effect == 1 else word | mask


def check_fault(row, campaign, network, images, golden, order):
    """One fault against PyTorch. Returns what kind of outcome it has."""
    fault = {name: column[row] for name, column in campaign["faults"].items()}
    outcome = {name: column[row] for name, column in campaign["outcomes"].items()}
    layer = text(campaign["layers/name"][fault["layer"]])
    weight = network.get_submodule(layer).weight.data
    expect(tuple(weight.shape[:2]) == (campaign["layers/out_channels"][fault["layer"]],
                                       campaign["layers/in_channels"][fault["layer"]]), f"channels of {layer}")
    expect(weight.numel() == campaign["layers/weights"][fault["layer"]], f"weights of {layer}")
    flat = weight.numpy().reshape(-1)
    words = flat.view(np.uint32)
    parameter, bit = int(fault["parameter"]), int(fault["bit"])
    before = flat[parameter]
    where = f"fault {row} ({layer}, parameter {parameter}, bit {bit})"
    channel = np.unravel_index(parameter, weight.shape)[:2]
    expect((fault["out_channel"], fault["in_channel"]) == channel, f"{where}: channels")
    expect(fault["value_before"].tobytes() == before.tobytes(), f"{where}: value_before is {fault['value_before']}")
    expect(fault["sign"] == np.signbit(before), f"{where}: sign")
    mask, effect = np.uint32(1 << bit), 0
    if "mask" in fault:  # since version 1.2
        mask, effect = np.uint32(fault["mask"]), int(fault["effect"])
        expect(int(mask).bit_length() - 1 == bit and int(mask).bit_count() == campaign.attrs["upset_bits"],
               f"{where}: mask is {mask:#x}")
    golden_word = words[parameter]
    words[parameter] = faulty_word(golden_word, mask, effect)
    try:
        after = flat[parameter]
        # A NaN may lose its payload on the way through a file, but not its kind.
        expect(fault["value_after"].tobytes() == after.tobytes() or (np.isnan(after) and np.isnan(fault["value_after"])),
               f"{where}: value_after is {fault['value_after']}, not {after}")
        logits = logits_of(network, images)
    finally:
        words[parameter] = golden_word
    total, right = len(images), int(campaign.attrs["golden_correct"])
    evaluated = int(outcome["evaluated"])
    counts = tuple(int(outcome[name]) for name in COUNTS)
    drop = (right - counts[0] - (total - evaluated)) / total
    expect(abs(outcome["drop"] - drop) < 1e-12, f"{where}: drop is {outcome['drop']}, its counts say {drop}")
    first = order[:evaluated]
    found = tally(logits[first], golden["label"][first], golden["top1"][first])
    expect(counts == found,
           f"{where}, {before} -> {after}: {', '.join(COUNTS)} are {counts} on {evaluated} images, PyTorch counts "
           f"{found} ({near_ties(logits[first])} near-ties)")
    if not outcome["stopped"]:
        expect(evaluated == total, f"{where}: {evaluated} of {total} images, but not stopped")
        return "changed" if counts[1] else "same"
    largest = max(campaign.attrs["tolerances"])
    true_drop = (right - tally(logits, golden["label"], golden["top1"])[0]) / total
    expect(evaluated < total, f"{where}: stopped after all images")
    expect(outcome["drop"] > largest, f"{where}: stopped at {outcome['drop']}, no more than {largest}")
    expect(outcome["drop"] < true_drop + 1e-12, f"{where}: stopped at {outcome['drop']}, but the drop is {true_drop}")
    return "stopped"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out_folder", type=pathlib.Path)
    parser.add_argument("data_folder", type=pathlib.Path)
    parser.add_argument("--faults", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--effect", action="store_true", help="draw half of the faults from those with an effect")
    arguments = parser.parse_args()

    network, mean, std, accuracy = load_model(arguments.out_folder / "model.h5")
    pixels, labels = read_test_set(arguments.data_folder)
    pixels = pixels.astype(np.float32) / np.float32(255)
    images = torch.from_numpy((pixels - mean.reshape(-1, 1, 1)) / std.reshape(-1, 1, 1))

    failures = 0
    seen = {"same": 0, "changed": 0, "stopped": 0}
    with h5py.File(arguments.out_folder / "campaign.h5", "r") as campaign:
        golden, order, margin_error = check_golden(campaign, logits_of(network, images), labels, accuracy)
        images = images[: len(order)]
        print(f"golden: accuracy {100 * accuracy:.2f} % of {len(labels)} images; top-1 equal and margins within "
              f"{margin_error:.1e} on {len(images)}")
        rows = choose_faults(campaign, arguments.faults, arguments.seed, arguments.effect)
        for row in rows:
            try:
                seen[check_fault(row, campaign, network, images, golden, order)] += 1
            except Mismatch as problem:
                failures += 1
                print(f"WRONG {problem}")
    print(f"{len(rows)} faults on {len(images)} images: {seen['same']} change no prediction, {seen['changed']} do, "
          f"{seen['stopped']} stopped early, {failures} wrong; {', '.join(COUNTS)} equal of {sum(seen.values())}")
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Mismatch as wrong:
        print(f"WRONG {wrong}")
        sys.exit(1)
