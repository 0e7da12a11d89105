#!/usr/bin/env python3
"""A campaign that can mean nothing says so: a network that guesses, at every stage and first of all in the report."""

import gzip

import numpy as np
import pipeline
from pipeline import DATA, PipelineTest, set_keys

GUESS = "no better than a guess among 10 classes"


class Guessing(PipelineTest):
    """A network whose training hardly moved it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keys = set_keys(
            train__lr=1e-6, data__train_images=128, data__test_images=200, campaign__limit=160, campaign__layers=["fc2"]
        )

    def warnings(self, text):
        return [line for line in text.splitlines() if "warning" in line and GUESS in line]

    def test_weights(self):
        out = self.folder / "weights"
        trained = self.complete("train", self.job, "--out", out, *self.keys)
        self.assertEqual(len(self.warnings(trained.err)), 1, str(trained))
        self.assertRegex(trained.err, r"mean \[0\.[0-9]+\] and std \[0\.[0-9]+\] .* measured on the 4000 training images")
        injected = self.complete("inject", self.job, "--out", out, *self.keys, ranks=2)
        self.assertEqual(len(self.warnings(injected.err)), 1, str(injected))
        self.assertIn("data.mean and data.std are not those of the training", injected.err)
        for _ in range(2):  # also where the page is there already
            report = self.complete("report", self.job, "--out", out, *self.keys)
            self.assertRegex(report.out, rf"\AWarning: the fault-free network gets [0-9]+ of 200 .*{GUESS}")
        page = (out / "report.html").read_text()
        self.assertLess(page.index(GUESS), page.index('<div class="cards">'))

    def test_feature_maps(self):
        out = self.folder / "maps"
        keys = [*self.keys[:-2], *set_keys(campaign__target="feature_maps", campaign__scheme="layer_wise")]
        run = self.complete("run", self.job, "--out", out, *keys)
        self.assertEqual(len(self.warnings(run.err)), 2, str(run))  # after training, and at injection
        self.assertTrue(run.out.startswith("Warning: the fault-free network gets"), str(run))
        self.assertIn(GUESS, (out / "report.html").read_text())

    def test_a_network_that_has_learnt_is_not_blamed(self):
        out = self.folder / "learnt"
        trained = self.complete("train", self.job, "--out", out)
        self.assertNotIn("guess", trained.err)


class Labels(PipelineTest):
    def test_begin_where_the_offset_says(self):
        """The same images with labels of 32 bits from 7 on are the same data set."""
        data, moved = self.folder / "data", self.folder / "moved" / "MNIST" / "raw"
        pipeline.write_idx_dataset(data, train=200, test=100)
        pipeline.copy_folder(data, moved)
        for name in ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte.gz"):
            content = (moved / name).read_bytes()
            (moved / name).unlink()
            content = gzip.decompress(content) if name.endswith(".gz") else content
            wide = np.frombuffer(content, np.uint8, offset=8).astype(">i4") + 7
            header = bytes([0, 0, 0x0C, 1]) + len(wide).to_bytes(4, "big")
            target = moved / name.replace("ubyte", "int").removesuffix(".gz")
            target.write_bytes(header + wide.astype(">i4").tobytes())
        keys = set_keys(data__kind="idx", data__test_images=60)
        out = self.folder / "out"
        self.complete("train", self.job, "--out", out, *keys, *set_keys(data__path=data))
        again = self.complete(
            "train", self.job, "--out", out, *keys, *set_keys(data__path=self.folder / "moved", data__label_offset=7)
        )
        self.assertIn("up to date", again.err)
        refused = self.run_flipstorm(
            "inject", self.job, "--out", out, *keys, *set_keys(data__path=self.folder / "moved", data__label_offset=4)
        )
        self.assert_code(refused, DATA)
        self.assertRegex(refused.err, "label 1[0-2] of image [0-9]+ of")
        self.assertIn("t10k-labels-idx1-int'", refused.err)


if __name__ == "__main__":
    pipeline.main()
