#!/usr/bin/env python3
"""Architectures and their variants: PyTorch's usual modules load model.h5 and find what campaign.h5 says."""

import importlib.util
import re
import sys

import pipeline
from pipeline import PipelineTest, check_with_pytorch

# name, keys, classes, training images, test images, faults
NETWORKS = (
    ("resnet20", {}, 10, 250, 60, 80),
    ("resnet18", {}, 10, 120, 12, 63),
    ("resnet20", {"order": "conv-act-norm", "activation": "relu6", "shortcut": "projection"}, 10, 250, 60, 44),
    ("resnet32", {"activation": "relu6"}, 100, 200, 100, 32),
    ("lenet5", {"activation": "relu6"}, 10, 500, 100, 100),
)


class Networks(PipelineTest):
    def test_pytorch_agrees(self):
        changed = 0
        for number, (arch, variant, classes, train, test, faults) in enumerate(NETWORKS):
            with self.subTest(arch=arch, **variant):
                data, out = self.folder / f"data{number}", self.folder / f"out{number}"
                pipeline.write_cifar_dataset(data, train, test, classes)
                self.complete(
                    "inject", self.train(data, out, arch, variant, classes), "--out", out,
                    *pipeline.set_keys(campaign__limit=faults), seconds=600,
                )
                code, text = check_with_pytorch(out, data, faults)
                print(arch, variant, text)
                self.assertEqual(code, 0, text)
                self.assertIn(f"equal of {faults}\n", text)
                changed += int(re.search(r", (\d+) do,", text)[1])
        self.assertGreaterEqual(changed, 5, "too few faults that change a prediction were checked")

    def train(self, data, out, arch, variant, classes):
        """A job of that network, trained; returns its file."""
        job = self.folder / f"{out.name}.toml"
        job.write_text(f"""
[job]
name = "networks"
[data]
kind = "cifar{classes}"
path = "{data}"
[model]
arch = "{arch}"
"""
            + "".join(f'{key} = "{value}"\n' for key, value in variant.items())
            + """
[train]
epochs = 2
batch = 10
lr = 0.02
[campaign]
scheme = "layer_wise"
[device]
kind = "cpu"
""")
        self.complete("train", job, "--out", out, seconds=600)
        return job


if __name__ == "__main__":
    if importlib.util.find_spec("torch") is None:
        print("skipped: needs PyTorch; Debian: apt install python3-torch")
        sys.exit(77)
    pipeline.main()
