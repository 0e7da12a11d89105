#!/usr/bin/env python3
"""The same faults by flipstorm and by PyTorchFI: memories of LeNet-5's convolutions under bit error rates.

    compare_with_pytorchfi.py FLIPSTORM OUT_FOLDER JOB.toml PYTORCHFI_FOLDER [--trials 30] [--images 2000] [--work DIR]

OUT_FOLDER holds model.h5 of JOB.toml, in fp32, PYTORCHFI_FOLDER a checkout of github.com/pytorchfi/pytorchfi (0.6: its
core.py injects into the weights of convolutions). Faults are drawn here, each bit with the bit error rate, and given to both:
to flipstorm as a fault list, to PyTorchFI as a function that flips the bits of a weight. Prints accuracy, images on which they
differ, and the time of each, model and images loaded. Needs Debian's python3-torch, python3-h5py.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "pipeline"))
import check_with_pytorch as own  # noqa: E402

LAYERS = ("conv1", "conv2")
RATES = (1e-5, 1e-4, 1e-3)


def draw(random, sizes, rate):
    """Sites of a memory: {(layer, parameter): mask}."""
    sites = {}
    for layer, size in enumerate(sizes):
        for bit in np.flatnonzero(random.random(32 * size) < rate):
            key = (layer, int(bit) // 32)
            sites[key] = sites.get(key, 0) | 1 << int(bit) % 32
    return sites


def flip(value, mask):
    word = np.float32(value).view(np.uint32) ^ np.uint32(mask)
    return float(word.view(np.float32))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flipstorm", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("job", type=pathlib.Path)
    parser.add_argument("pytorchfi", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    sys.path.insert(0, str(options.pytorchfi))
    from pytorchfi.core import FaultInjection

    torch.set_num_threads(options.threads)
    network, mean, std, accuracy = own.load_model(options.out / "model.h5")
    images, labels = own.read_test_set(options.data)[:2]
    images = (torch.from_numpy(images[:options.images].astype(np.float32)) / 255 - torch.as_tensor(mean).view(-1, 1, 1)) / torch.as_tensor(std).view(-1, 1, 1)
    labels = np.asarray(labels[:options.images])
    network.eval()
    shapes = [getattr(network, name).weight.shape for name in LAYERS]
    sizes = [int(np.prod(shape)) for shape in shapes]
    injector = FaultInjection(network, batch_size=500, input_shape=list(images.shape[1:]), layer_types=[torch.nn.Conv2d])

    random = np.random.default_rng(1)
    memories = [(rate, draw(random, sizes, rate)) for rate in RATES for _ in range(options.trials)]
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        rows = [f"{number},{LAYERS[layer]},{parameter},{mask:#x}\n" for number, (_, sites) in enumerate(memories)
                for (layer, parameter), mask in sites.items()]
        (work / "faults.csv").write_text("fault,layer,parameter,mask\n" + "".join(rows))
        (work / "out").mkdir()
        (work / "out" / "model.h5").write_bytes((options.out / "model.h5").read_bytes())
        command = [options.flipstorm, "inject", options.job, "--out", work / "out", "--quiet"]
        for key, value in (("campaign.fault_list", work / "faults.csv"), ("data.test_images", options.images),
                           ("campaign.evaluation", "exact"), ("device.threads", options.threads),
                           ("campaign.tolerances", "[0.99]")):
            command += ["--set", f"{key}={value}"]
        subprocess.run(list(map(str, command)), check=True)
        with h5py.File(work / "out" / "campaign.h5") as campaign:
            row_of = dict(zip(campaign["sites/fault"][:].tolist(), campaign["sites/row"][:].tolist()))
            correct = campaign["outcomes/correct"][:]
            golden = int(campaign.attrs["golden_correct"])
            seconds = float(campaign.attrs["wall_seconds"])

    theirs, spent = [], 0.0
    with torch.no_grad():
        for _, sites in memories:
            begin = time.perf_counter()
            if sites:
                masks = {}
                places = {"layer_num": [], "k": [], "dim1": [], "dim2": [], "dim3": []}
                for (layer, parameter), mask in sites.items():
                    index = tuple(int(i) for i in np.unravel_index(parameter, shapes[layer]))
                    masks[(tuple(shapes[layer]), index)] = mask
                    for key, value in zip(places, (layer, *index)):
                        places[key].append(value)
                faulty = injector.declare_weight_fault_injection(
                    function=lambda weight, index: flip(weight[index].item(), masks[(tuple(weight.shape), index)]), **places)
            else:
                faulty = network
            logits = torch.cat([faulty(images[i:i + 500]) for i in range(0, len(images), 500)])
            good = torch.isfinite(logits).all(1).numpy()  # flipstorm counts a logit that is not finite as wrong
            theirs.append(int(((logits.argmax(1).numpy() == labels) & good).sum()))
            spent += time.perf_counter() - begin

    print(f"fault-free: {100 * golden / options.images:.2f} % of {options.images} images (whole test set {100 * accuracy:.2f} %)")
    print("bit error rate  upsets  flipstorm %  PyTorchFI %  images that differ, of all")
    for rate in RATES:
        chosen = [i for i, (r, _) in enumerate(memories) if r == rate]
        ours = [int(correct[row_of[i]]) if i in row_of else golden for i in chosen]
        other = [theirs[i] for i in chosen]
        upsets = np.mean([sum(bin(mask).count("1") for mask in memories[i][1].values()) for i in chosen])
        print(f"{rate:14.0e}  {upsets:6.1f}  {100 * np.mean(ours) / options.images:11.3f}  "
              f"{100 * np.mean(other) / options.images:11.3f}  "
              f"{sum(abs(a - b) for a, b in zip(ours, other))} of {len(chosen) * options.images}")
    print(f"{len(memories)} memories: flipstorm {seconds:.2f} s, PyTorchFI {spent:.2f} s, {options.threads} thread(s)")


if __name__ == "__main__":
    main()
