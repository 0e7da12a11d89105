#!/usr/bin/env python3
"""Check a campaign on LeNet-5 with PyTorch alone: rebuild the network, flip the bits, count.

    check_with_pytorch.py OUT_FOLDER DATA_FOLDER [--faults 50] [--seed 1]

OUT_FOLDER holds model.h5 and campaign.h5, DATA_FOLDER the IDX files of the data set. Half of the faults are
drawn from all, half from those that changed a prediction or ended early. Nothing of flipstorm is used but its
two files. Exit codes: 0 all agree, 1 not, 77 a Python module is missing.

Two programs round differently. A count may therefore differ by images whose two largest logits are a near-tie
(closer than 1e-4 of the larger); how many did is printed.
"""

import argparse
import gzip
import pathlib
import sys

try:
    import h5py
    import numpy as np
    import torch
except ImportError as missing:
    print(f"skipped: needs h5py, numpy and torch ({missing}); Debian: apt install python3-h5py python3-torch")
    sys.exit(77)

NEAR_TIE = 1e-4
BATCH = 500


class LeNet5(torch.nn.Module):
    def __init__(self, channels, classes, flat):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(channels, 6, 5, padding=2)
        self.conv2 = torch.nn.Conv2d(6, 16, 5)
        self.fc1 = torch.nn.Linear(flat, 120)
        self.fc2 = torch.nn.Linear(120, 84)
        self.fc3 = torch.nn.Linear(84, classes)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
        x = torch.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc3(torch.relu(self.fc2(x)))


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


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def load_model(file):
    """The network as a plain PyTorch module, and the normalisation of its input."""
    with h5py.File(file, "r") as model:
        expect(text(model.attrs["arch"]) == "lenet5", f"{file} is no lenet5")
        expect(text(model.attrs["format"]) == "fp32", f"{file} is not fp32")
        parameters = {name: torch.from_numpy(value[:]) for name, value in model["parameters"].items()}
        network = LeNet5(int(model.attrs["input_shape"][0]), int(model.attrs["num_classes"]),
                         parameters["fc1.weight"].shape[1])
        network.load_state_dict(parameters, strict=True)
        return network.eval(), model.attrs["mean"][:], model.attrs["std"][:], float(model.attrs["test_accuracy"])


def logits_of(network, images):
    with torch.inference_mode():
        return torch.cat([network(images[i:i + BATCH]) for i in range(0, len(images), BATCH)]).numpy()


def near_ties(logits):
    """Images whose winner may depend on rounding."""
    top = np.sort(logits.astype(np.float64), axis=1)[:, -2:]
    with np.errstate(invalid="ignore"):
        return ~(top[:, 1] - top[:, 0] >= NEAR_TIE * np.maximum(np.abs(top[:, 0]), np.abs(top[:, 1])))


def tally(logits, labels, golden_top1):
    """correct, mismatches, non-finite; a logit that is not finite makes a misprediction."""
    finite = np.isfinite(logits).all(axis=1)
    top1 = np.where(finite, np.argmax(np.where(np.isfinite(logits), logits, -np.inf), axis=1), -1)
    return int((top1 == labels).sum()), int((top1 != golden_top1).sum()), int((~finite).sum())


def choose_faults(campaign, wanted, seed):
    random = np.random.default_rng(seed)
    outcomes = campaign["outcomes"]
    effect = np.flatnonzero((outcomes["mismatches"][:] > 0) | (outcomes["stopped"][:] == 1))
    some = random.permutation(effect)[: wanted // 2]
    others = np.setdiff1d(np.arange(len(outcomes["drop"])), some)
    return np.sort(np.concatenate([some, random.permutation(others)[: wanted - len(some)]]))


def check_golden(campaign, logits, labels, accuracy):
    images = int(campaign.attrs["images"])
    ties = near_ties(logits)
    top1 = np.argmax(logits, axis=1)
    expect(abs((top1 == labels).sum() - round(accuracy * len(labels))) <= ties.sum(),
           f"test_accuracy is {accuracy}, PyTorch computes {(top1 == labels).mean()}")
    expect(images <= len(labels), f"{images} images in the campaign, {len(labels)} in the test set")
    golden = {name: column[:] for name, column in campaign["golden"].items()}
    expect(np.array_equal(golden["label"], labels[:images]), "/golden/label is not that of the test set")
    differs = golden["top1"] != top1[:images]
    expect(not (differs & ~ties[:images]).any(), f"/golden/top1 differs on images {np.flatnonzero(differs)}")
    top = np.sort(logits[:images], axis=1)
    error = np.abs(golden["margin"] - (top[:, -1] - top[:, -2]))
    expect(error.max() < 1e-3, f"/golden/margin differs by {error.max()} on image {error.argmax()}")
    expect(int(campaign.attrs["golden_correct"]) == (golden["top1"] == golden["label"]).sum(), "golden_correct")
    return golden, int(differs.sum()), float(error.max())


def check_fault(row, campaign, network, images, golden, largest):
    """One fault against PyTorch. Returns how many images only a near-tie excuses."""
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
    words[parameter] ^= np.uint32(1 << bit)
    try:
        after = flat[parameter]
        # A NaN may lose its payload on the way through a file, but not its kind.
        expect(fault["value_after"].tobytes() == after.tobytes() or (np.isnan(after) and np.isnan(fault["value_after"])),
               f"{where}: value_after is {fault['value_after']}, not {after}")
        logits = logits_of(network, images)
    finally:
        words[parameter] ^= np.uint32(1 << bit)
    total, right = len(images), int(campaign.attrs["golden_correct"])
    found = tally(logits, golden["label"], golden["top1"])
    ties = int(near_ties(logits)[np.isfinite(logits).all(axis=1)].sum())
    counts = tuple(int(outcome[name]) for name in ("correct", "mismatches", "nonfinite"))
    evaluated = int(outcome["evaluated"])
    drop = (right - counts[0] - (total - evaluated)) / total
    expect(abs(outcome["drop"] - drop) < 1e-12, f"{where}: drop is {outcome['drop']}, its counts say {drop}")
    if outcome["stopped"]:
        expect(evaluated < total, f"{where}: stopped after all images")
        expect(outcome["drop"] > largest, f"{where}: stopped at {outcome['drop']}, no more than {largest}")
        true_drop = (right - found[0]) / total
        lacking = round((outcome["drop"] - true_drop) * total)
        expect(lacking <= ties, f"{where}: stopped at a drop of {outcome['drop']}, but it is {true_drop}")
        return max(0, lacking), "stopped"
    expect(evaluated == total, f"{where}: {evaluated} of {total} images, but not stopped")
    difference = max(abs(a - b) for a, b in zip(counts[:2], found[:2]))
    expect(counts[2] == found[2], f"{where}: {counts[2]} images not finite, PyTorch finds {found[2]}")
    expect(difference <= ties,
           f"{where}, {before} -> {after}: correct, mismatches, nonfinite are {counts}, PyTorch counts {found} "
           f"({ties} near-ties)")
    return difference, "changed" if counts[1] else "same"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out_folder", type=pathlib.Path)
    parser.add_argument("data_folder", type=pathlib.Path)
    parser.add_argument("--faults", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    network, mean, std, accuracy = load_model(arguments.out_folder / "model.h5")
    pixels = read_idx(arguments.data_folder, "t10k-images-idx3-ubyte").astype(np.float32)[:, None] / np.float32(255)
    labels = read_idx(arguments.data_folder, "t10k-labels-idx1-ubyte").astype(np.int64)
    images = torch.from_numpy((pixels - mean.reshape(-1, 1, 1)) / std.reshape(-1, 1, 1))

    failures = 0
    seen = {"same": 0, "changed": 0, "stopped": 0}
    tied = 0
    with h5py.File(arguments.out_folder / "campaign.h5", "r") as campaign:
        golden, top1_ties, margin_error = check_golden(campaign, logits_of(network, images), labels, accuracy)
        print(f"golden: accuracy {100 * accuracy:.2f} % of {len(labels)} images; {top1_ties} near-ties differ in "
              f"top-1; margins within {margin_error:.1e}")
        images = images[: int(campaign.attrs["images"])]
        rows = choose_faults(campaign, arguments.faults, arguments.seed)
        for row in rows:
            try:
                differing, kind = check_fault(row, campaign, network, images, golden, max(campaign.attrs["tolerances"]))
                seen[kind] += 1
                tied += differing
            except Mismatch as problem:
                failures += 1
                print(f"WRONG {problem}")
    print(f"{len(rows)} faults on {len(images)} images: {seen['same']} change no prediction, {seen['changed']} do, "
          f"{seen['stopped']} stopped early, {failures} wrong; {tied} images differ at a near-tie")
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Mismatch as wrong:
        print(f"WRONG {wrong}")
        sys.exit(1)
