#!/usr/bin/env python3
"""The program flipstorm-analysis on files of a campaign that it did not make: those of old_files/README.md."""

import importlib.util
import json
import pathlib
import re
import shutil
import subprocess

import h5py
import numpy as np
import pipeline
from pipeline import DATA, IO, USAGE, PipelineTest, datasets, set_keys

COMMANDS = "forest, harden, report, status, inspect"


class Analysis(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.old = pipeline.unpack_old_files(cls.folder)
        cls.job = cls.old / "job.toml"
        cls.out = cls.folder / "out"
        cls.keys = set_keys(model__file=cls.old / "model.h5", forest__campaign=cls.old / "screened" / "campaign.h5")
        for stage in ("forest", "harden"):
            cls.complete(stage, cls.job, "--out", cls.out, *cls.keys)
        cls.report = cls.complete("report", cls.job, "--out", cls.out, *cls.keys)

    def test_no_libtorch(self):
        self.assertEqual(pipeline.torch_libraries(self.flipstorm), [])
        self.assertTrue(self.complete("--version").out.startswith("flipstorm-analysis "))

    def test_has_the_commands_that_need_none(self):
        refused = self.run_flipstorm("inject", self.job)
        self.assert_code(refused, USAGE)
        self.assertIn(f"flipstorm-analysis has no command 'inject'; it has: {COMMANDS}\n", refused.err)
        self.assert_code(self.run_flipstorm("forest", self.job, "--dry-run"), USAGE)
        text = self.complete("--help").out
        for command in COMMANDS.split(", "):
            self.assertRegex(text, rf"\n  {command} ")
        self.assertNotIn("\n  run ", text)

    def test_forest_and_protection_are_those_of_flipstorm(self):
        own = self.folder / "own"
        for stage in ("forest", "harden"):
            flipstorm = pathlib.Path(self.flipstorm).with_name("flipstorm")
            subprocess.run([flipstorm, stage, self.job, "--out", own, *self.keys], check=True, capture_output=True)
        for name in ("forest.h5", "protection.h5"):
            found, expected = datasets(self.out / name), datasets(own / name)
            self.assertEqual(sorted(found), sorted(expected))
            for path, value in expected.items():
                self.assertTrue(found[path].tobytes() == value.tobytes(), f"{path} of {name}")
        again = self.complete("forest", self.job, "--out", self.out, *self.keys)
        self.assertIn("forest.h5 is there and up to date", again.err)

    def test_several_ranks(self):
        kinds = set_keys(forest__kind=["rf", "brf"], forest__trees=30)
        one = self.folder / "one"
        self.complete("forest", self.job, "--out", one, *self.keys, *kinds)
        expected = datasets(one / "forest.h5")
        self.assertIn("/compare/brf/scores/auc_folds", expected)
        self.assertIn("/compare/table/scores/auc_folds", expected)
        for ranks in (2, 4):
            out = self.folder / f"ranks{ranks}"
            self.complete("forest", self.job, "--out", out, *self.keys, *kinds, ranks=ranks)
            found = datasets(out / "forest.h5")
            self.assertEqual(sorted(found), sorted(expected))
            for path, value in expected.items():
                self.assertTrue(found[path].tobytes() == value.tobytes(), path)
            self.assertFalse((out / "forest-journal").exists())

    def votes_of_the_map(self):
        """Features of random bits of conv1, and the votes that /criticality has for them."""
        with h5py.File(self.out / "forest.h5") as forest, h5py.File(self.old / "model.h5") as model:
            weights = model["/parameters/conv1.weight"][:]
            votes = forest["/criticality/conv1"][:]
        random = np.random.default_rng(4)
        flat = random.integers(0, weights.size, 300)
        bit = random.integers(0, votes.shape[1], 300)
        out, into = np.unravel_index(flat, weights.shape)[:2]
        x = np.column_stack([np.signbit(weights.ravel()[flat]), bit, np.zeros(300), out, into]).astype(np.float32)
        self.assertGreater(len(np.unique(votes[flat, bit])), 3)
        return x, votes[flat, bit]

    def test_export_to_onnx(self):
        onnx = importlib.import_module("onnx") if importlib.util.find_spec("onnx") else None
        target = self.folder / "forest.onnx"
        if onnx is None:
            result = self.run_flipstorm("forest", self.job, "--out", self.out, *self.keys, "--export", target)
            self.assert_code(result, IO)
            self.assertIn("no Python with h5py and onnx", result.err)
            self.skipTest("needs python3-onnx")
        self.complete("forest", self.job, "--out", self.out, *self.keys, "--export", target)
        model = onnx.load(str(target))
        onnx.checker.check_model(model)
        node, = model.graph.node
        a = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        weight = {}
        for tree, leaf, kind, value in zip(a["class_treeids"], a["class_nodeids"], a["class_ids"], a["class_weights"]):
            if kind == 1:
                weight[tree, leaf] = value
        place = {key: row for row, key in enumerate(zip(a["nodes_treeids"], a["nodes_nodeids"]))}

        def vote(x):
            total = 0
            for tree in range(max(a["nodes_treeids"]) + 1):
                node = 0
                while a["nodes_modes"][place[tree, node]] == b"BRANCH_LEQ":
                    row = place[tree, node]
                    left = x[a["nodes_featureids"][row]] <= np.float32(a["nodes_values"][row])
                    node = a["nodes_truenodeids" if left else "nodes_falsenodeids"][row]
                total += weight[tree, node]
            return total

        x, expected = self.votes_of_the_map()
        np.testing.assert_allclose([255 * vote(row) for row in x], expected, atol=0.501)
        if importlib.util.find_spec("onnxruntime"):
            import onnxruntime
            found = onnxruntime.InferenceSession(str(target)).run(["votes"], {"features": x})[0]
            np.testing.assert_allclose(255 * found[:, 1], expected, atol=0.501)
        target.unlink()
        result = self.run_flipstorm("forest", self.job, "--out", self.out, *self.keys, "--export", self.folder / "no" / "f.onnx")
        self.assert_code(result, IO)
        self.assertIn("cannot write", result.err)

    def test_forest_loads_into_scikit_learn(self):
        if not importlib.util.find_spec("sklearn"):
            self.skipTest("needs python3-sklearn")
        text = (pathlib.Path(__file__).parents[2] / "analysis" / "README.md").read_text()
        example = re.search(r"<!-- scikit-learn -->\n```python\n(.*?)```", text, re.DOTALL).group(1)
        names = {}
        exec(example.replace('"forest.h5"', repr(str(self.out / "forest.h5"))), names)
        x, expected = self.votes_of_the_map()
        np.testing.assert_allclose(255 * names["votes"](x), expected, atol=0.501)

    def test_reports(self):
        for text in ("Table I:", "Table II:", "Table III:", "960 faults on 120 test images"):
            self.assertIn(text, self.report.out)
        out = pipeline.copy_folder(self.old / "maps", self.folder / "maps")
        keys = set_keys(campaign__target="feature_maps", campaign__scheme="layer_wise")
        self.assertIn("tolerable", self.complete("report", self.job, "--out", out, *keys).out)
        self.assertTrue((out / "report.html").is_file())

    def test_status_and_inspect(self):
        for name, target in (("screened", "weights"), ("maps", "feature_maps")):
            seen = json.loads(self.complete("status", self.old / name, "--json").out)
            self.assertEqual((seen["state"], seen["target"], seen["trouble"]), ("complete", target, []))
            listing = self.complete("inspect", self.old / name / "campaign.h5").out
            for path in datasets(self.old / name / "campaign.h5"):
                self.assertIn(path, listing)

    def test_what_is_wrong_is_told(self):
        empty = self.folder / "empty"
        result = self.run_flipstorm("forest", self.job, "--out", empty)
        self.assert_code(result, IO)
        self.assertIn("'flipstorm inject' makes it", result.err)
        other = self.folder / "other"
        shutil.copytree(self.out, other)
        with pipeline.edited(other / "forest.h5") as file:
            file.attrs["campaign_sha256"] = np.bytes_("of another")
        result = self.run_flipstorm("harden", self.job, "--out", other, *self.keys)
        self.assert_code(result, DATA)
        self.assertIn("was trained on another campaign", result.err)


if __name__ == "__main__":
    pipeline.main()
