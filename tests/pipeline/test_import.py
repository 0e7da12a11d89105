#!/usr/bin/env python3
"""Import of TorchScript: networks made in PyTorch, scripted and traced, come out as what they are, and campaigns on
them agree with PyTorch."""

import importlib.util
import json
import sys

import h5py
import numpy as np
import pipeline
from pipeline import USAGE, PipelineTest

if importlib.util.find_spec("torch") is None:
    print("skipped: needs PyTorch; Debian: apt install python3-torch")
    sys.exit(77)

import check_transient_with_pytorch as check_transient
import check_with_pytorch as check
import torch
import torch.nn.functional as F
from import_networks import ADDED, JOB, MEAN, NETWORKS, STD, Excite, Vgg, train


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


if __name__ == "__main__":
    pipeline.main()
