#!/usr/bin/env python3
"""Check a campaign of transient faults with PyTorch alone: corrupt a layer's output by a forward hook, count.

    check_transient_with_pytorch.py OUT_FOLDER DATA_FOLDER [--faults 200] [--seed 1]

OUT_FOLDER holds model.h5 and campaign.h5, DATA_FOLDER the data set; as for check_with_pytorch.py. The faults are those
of campaign.h5; instructions are emulated with the C library's fmaf. Exit codes: 0 all agree, 1 not, 77 a Python module
is missing.

correct, mismatches and nonfinite of each fault have to be those of the file, and drop what they say. Two programs
round differently: a fault with images that are near-ties of PyTorch (two largest logits closer than 1e-4 of the larger,
with or without the fault) may differ in so many, and is counted apart. masked may differ by the images whose logits the
fault changes by no more than rounding (1e-5 of the largest); but in the first layer, whose input is the image, an
instruction's fault that does not outlive the emulated sum has to be masked.
"""

import argparse
import ctypes
import ctypes.util
import pathlib
import sys

try:
    import h5py
    import numpy as np
    import torch
except ImportError as missing:
    print(f"skipped: needs h5py, numpy and torch ({missing}); Debian: apt install python3-h5py python3-torch")
    sys.exit(77)

from check_with_pytorch import Mismatch, expect, load_model, near_ties, read_test_set, tally, text

ROUNDING = 1e-5
FMAF = ctypes.CDLL(ctypes.util.find_library("m") or "libm.so.6").fmaf
FMAF.restype = ctypes.c_float
FMAF.argtypes = [ctypes.c_float] * 3


def bits_of(mask, count):
    return np.flatnonzero(np.unpackbits(mask)[:count])


def corrupt_map(fault, output, combine):
    """A feature map [C, H, W] of one image, with the fault; it never dies by definition."""
    channels, height, width = output.shape
    region = np.zeros((height, width), bool)
    if fault["geometry"] == 6:
        region.reshape(-1)[bits_of(fault["position_mask"], height * width)] = True
    else:
        row, column = int(fault["row"]), int(fault["column"])
        region[row:row + int(fault["height"]), column:column + int(fault["width"])] = True
    struck = np.zeros(output.shape, bool)
    struck[bits_of(fault["channel_mask"], channels)] = region
    value = np.float32(fault["value"])
    with np.errstate(all="ignore"):
        if combine == "add":
            faulty = output + value
        elif combine == "multiply":
            faulty = output * value
        elif combine == "bit_flip":
            flipped = output.view(np.uint32) ^ np.uint32(1 << int(value))
            faulty = flipped.view(np.float32)
        else:
            faulty = (output.astype(np.float64) * (1.0 + np.float64(value))).astype(np.float32)
    return np.where(struck, faulty, output), False


def struck_sum(total, fault, instruction):
    if instruction == "bit_flip":
        word = np.float32(total).view(np.uint32) ^ np.uint32(1 << int(fault["bit"]))
        return float(word.view(np.float32))
    with np.errstate(all="ignore"):
        return float(np.float32(np.float64(total) * (1.0 + np.float64(fault["value"]))))


def chain(terms, weights, bias, fault, instruction):
    total = 0.0
    for step, (x, w) in enumerate(zip(terms, weights)):
        total = FMAF(x, w, total)
        if fault is not None and step == int(fault["step"]):
            total = struck_sum(total, fault, instruction)
    with np.errstate(all="ignore"):
        return np.float32(total) if bias is None else np.float32(total) + np.float32(bias)


def corrupt_dot_products(fault, module, given, output, instruction):
    """The output [C, H, W] of a layer for one image, with one instruction's fault; whether it dies in the sum."""
    faulty, dead = output.copy(), True
    channels, height, width = output.shape
    weight = module.weight.detach().numpy().reshape(channels, -1)
    groups = getattr(module, "groups", 1)
    rows, columns = channels // groups, height * width
    if isinstance(module, torch.nn.Conv2d):
        padding = module.padding
        if padding == "same":
            padding = [dilation * (kernel - 1) // 2 for dilation, kernel in zip(module.dilation, module.kernel_size)]
        unfolded = torch.nn.functional.unfold(torch.from_numpy(given)[None], module.kernel_size,
                                              padding=padding, stride=module.stride,
                                              dilation=module.dilation)[0].numpy()
    else:
        unfolded = given.reshape(-1, 1)
    depth = weight.shape[1]
    first = int(fault["element"])
    row, column = first // columns % rows, first % columns
    outputs = [first]
    if instruction == "warp_random_value":
        outputs = [first + 4 * t * columns + 4 * u for t in range(8) for u in range(4)
                   if row + 4 * t < rows and column + 4 * u < columns]
    for element in outputs:
        channel, position = divmod(element, columns)
        group = channel // rows
        terms = unfolded[group * depth:(group + 1) * depth, position].tolist()
        bias = None if module.bias is None else float(module.bias[channel])
        weights = weight[channel].tolist()
        good = chain(terms, weights, bias, None, instruction)
        bad = chain(terms, weights, bias, fault, instruction)
        if good.tobytes() == bad.tobytes():
            continue
        dead = False
        with np.errstate(all="ignore"):
            value = faulty.reshape(-1)[element]
            faulty.reshape(-1)[element] = (
                bad if value == good else np.float32(np.float64(value) + (np.float64(bad) - np.float64(good))))
    return faulty, dead


def check_fault(row, campaign, network, images, golden):
    """One fault. Returns how many near-ties it was excused."""
    fault = {name: column[row] for name, column in campaign["faults"].items()}
    outcome = {name: column[row] for name, column in campaign["outcomes"].items()}
    layer = text(campaign["layers/name"][fault["layer"]])
    module = network.get_submodule(layer)
    struck = np.arange(len(images)) if fault["image"][0] == -1 else fault["image"]
    expect(len(struck) == campaign.attrs["images_per_fault"] == len(set(struck)), f"fault {row}: images {struck}")
    dead = []

    def hook(module, inputs, output):
        shape = output.shape[1:] if output.dim() == 4 else (output.shape[1], 1, 1)
        given, found = inputs[0].numpy(), output.numpy().reshape(-1, *shape)
        faulty = [corrupt_map(fault, found[i], text(campaign.attrs["combine"])) if "geometry" in fault
                  else corrupt_dot_products(fault, module, given[i], found[i], text(campaign.attrs["instruction"]))
                  for i in range(len(found))]
        dead.extend(died for _, died in faulty)
        return torch.from_numpy(np.stack([values for values, _ in faulty])).reshape(output.shape)

    batch = images[torch.from_numpy(struck.astype(np.int64))]
    with torch.inference_mode():
        clean = network(batch).numpy()
        handle = module.register_forward_hook(hook)
        try:
            logits = network(batch).numpy()
        finally:
            handle.remove()
    label, top1 = golden["label"][struck], golden["top1"][struck]
    where = f"fault {row} ({layer}, {', '.join(f'{k} {v}' for k, v in fault.items() if 'mask' not in k)})"
    counts = tuple(int(outcome[name]) for name in ("correct", "mismatches", "nonfinite"))
    found = tally(logits, label, top1)
    ties = near_ties(logits) + near_ties(clean)
    apart = max(abs(a - b) for a, b in zip(counts, found))
    expect(apart <= ties, f"{where}: correct, mismatches, nonfinite are {counts}, PyTorch counts {found}, {ties} near-ties")
    drop = (int((top1 == label).sum()) - counts[0]) / len(struck)
    expect(abs(outcome["drop"] - drop) < 1e-12, f"{where}: drop is {outcome['drop']}, its counts say {drop}")
    same = [a.tobytes() == b.tobytes() for a, b in zip(logits, clean)]
    with np.errstate(all="ignore"):
        close = np.abs(logits - clean).max(axis=1) <= ROUNDING * np.abs(clean).max(axis=1)
    unsure = int(close.sum())
    masked = int(outcome["masked"])
    expect(abs(masked - sum(same)) <= unsure and (fault["layer"] > 0 or masked >= sum(dead)),
           f"{where}: masked is {masked}, PyTorch counts {sum(same)}, {unsure} of them within rounding")
    expect(int(outcome["tolerable"]) == len(struck) - masked - counts[1], f"{where}: tolerable")
    return 1 if apart > 0 else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out_folder", type=pathlib.Path)
    parser.add_argument("data_folder", type=pathlib.Path)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    network, mean, std, _ = load_model(arguments.out_folder / "model.h5")
    pixels, _ = read_test_set(arguments.data_folder)
    failures = excused = 0
    with h5py.File(arguments.out_folder / "campaign.h5", "r") as campaign:
        pixels = pixels[:int(campaign.attrs["images"])].astype(np.float32) / np.float32(255)
        images = torch.from_numpy((pixels - mean.reshape(-1, 1, 1)) / std.reshape(-1, 1, 1))
        golden = {name: column[:] for name, column in campaign["golden"].items()}
        outcomes = {name: column[:] for name, column in campaign["outcomes"].items()}
        rows = np.sort(np.random.default_rng(arguments.seed).permutation(len(outcomes["drop"]))[:arguments.faults])
        for row in rows:
            try:
                excused += check_fault(row, campaign, network, images, golden)
            except Mismatch as problem:
                failures += 1
                print(f"WRONG {problem}")
        kinds = [f"{name} {int(outcomes[name][rows].sum())}" for name in ("masked", "tolerable", "mismatches", "nonfinite")]
    print(f"{len(rows)} faults: {', '.join(kinds)}; {len(rows) - failures - excused} equal, {excused} near-ties, "
          f"{failures} wrong")
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Mismatch as wrong:
        print(f"WRONG {wrong}")
        sys.exit(1)
