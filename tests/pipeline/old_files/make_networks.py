#!/usr/bin/env python3
"""Make data/, net.pt and twice.pt of old_files.tar.xz: see README.md."""

import gzip
import pathlib
import struct

import numpy as np
import torch

SIZE, CLASSES, IMAGES = 10, 4, 120
MEAN, STD = 0.1, 0.25


def write_idx(name, array):
    content = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    pathlib.Path(name).write_bytes(gzip.compress(content, 9, mtime=0))


def make_images(random):
    """Moved and noisy bars and diagonals."""
    patterns = np.zeros((CLASSES, SIZE, SIZE))
    patterns[0, 2:8, 4:6] = patterns[1, 4:6, 2:8] = 1
    for i in range(2, 8):
        patterns[2, i, i] = patterns[3, i, 9 - i] = 1
    labels = random.integers(0, CLASSES, IMAGES)
    labels[:CLASSES] = range(CLASSES)
    images = []
    for label in labels:
        image = np.roll(patterns[label], (random.integers(-1, 2), random.integers(-1, 2)), (0, 1))
        noise = (random.random((SIZE, SIZE)) < 0.12) * random.integers(1, 4, (SIZE, SIZE))
        images.append(np.clip(image * 3 + noise, 0, 4))
    return (np.array(images) * 60).astype(np.uint8), labels


class Net(torch.nn.Module):
    """A convolution and two linear layers; `twice` adds a value to itself."""

    def __init__(self, twice):
        super().__init__()
        self.conv1, self.fc1, self.fc2 = torch.nn.Conv2d(1, 4, 3), torch.nn.Linear(64, 8), torch.nn.Linear(8, 4)
        self.twice = twice

    def hidden(self, x):
        x = torch.relu(self.conv1(x))
        if self.twice:
            x = x + x
        return torch.relu(self.fc1(torch.flatten(torch.nn.functional.max_pool2d(x, 2), 1)))

    def forward(self, x):
        return self.fc2(self.hidden(x))


def main():
    random = np.random.default_rng(11)
    images, labels = make_images(random)
    pathlib.Path("data").mkdir(exist_ok=True)
    for prefix in ("train", "t10k"):
        write_idx(f"data/{prefix}-images-idx3-ubyte.gz", images)
        write_idx(f"data/{prefix}-labels-idx1-ubyte.gz", labels)
    shapes = {"conv1.weight": (0.4, (4, 1, 3, 3)), "conv1.bias": (0.1, 4), "fc1.weight": (0.2, (8, 64)),
              "fc1.bias": (0.1, 8)}
    state = {name: torch.tensor(random.normal(0, *how), dtype=torch.float32) for name, how in shapes.items()}
    # Random features, and a ridge regression on them.
    net = Net(False)
    net.load_state_dict(state, strict=False)
    with torch.no_grad():
        hidden = net.hidden(torch.tensor((images / 255 - MEAN) / STD, dtype=torch.float32)[:, None]).numpy()
    features = np.c_[hidden, np.ones(IMAGES)].astype(np.float64)
    target = np.eye(CLASSES)[labels] * 2 - 1
    weights = np.linalg.solve(features.T @ features + 0.05 * np.eye(features.shape[1]), features.T @ target)
    state["fc2.weight"] = torch.tensor(weights[:-1].T.copy(), dtype=torch.float32)
    state["fc2.bias"] = torch.tensor(weights[-1], dtype=torch.float32)
    for name, twice in (("net", False), ("twice", True)):
        net = Net(twice)
        net.load_state_dict(state)
        torch.jit.save(torch.jit.trace(net.eval(), torch.zeros(1, 1, SIZE, SIZE)), f"{name}.pt")


if __name__ == "__main__":
    main()
