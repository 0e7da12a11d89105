#!/usr/bin/env python3
"""Training: the same on 1, 2 and 4 ranks; killed or stopped, it goes on to the same bits; faults of a training."""

import signal

import h5py
import numpy as np
import pipeline
from pipeline import IO, STOPPED, USAGE, PipelineTest, set_keys

# Everything that a training can be: batch norms, faults, crops and flips, binary cross entropy, clipping.
JOB = """
[job]
name = "training"
[data]
kind = "cifar10"
path = "{data}"
[model]
arch = "resnet20"
activation = "relu6"
order = "conv-act-norm"
[train]
epochs = 2
batch = 24
lr = 0.001
weight_decay = 1e-5
clip = 1
loss = "bce"
schedule = "cosine"
augment = "crop_flip"
init = "kaiming_normal"
[train.fault_aware]
rule = "paper"
[device]
kind = "cpu"
threads = 1
"""
CHECKPOINT = "train.checkpoint"


def parameters(file):
    return {path: value for path, value in pipeline.datasets(file).items() if path.startswith("/parameters/")}


class Training(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        data = cls.folder / "data"
        pipeline.write_cifar_dataset(data, 100, 20)
        cls.job.write_text(JOB.format(data=data))
        cls.one = cls.train("one")
        cls.two = cls.train("two", ranks=2)

    @classmethod
    def train(cls, name, *options, ranks=0):
        out = cls.folder / name
        result = cls.complete("train", cls.job, "--out", out, *options, ranks=ranks)
        assert not (out / CHECKPOINT).exists(), result
        return out / "model.h5"

    def distance(self, file, expected_file, statistics=False):
        """Largest difference of a weight, relative to the largest weight; or of a running statistic."""
        found, expected = parameters(file), parameters(expected_file)
        self.assertEqual(sorted(found), sorted(expected))
        paths = [path for path in expected if (".running_" in path) == statistics]
        self.assertGreater(len(paths), 30)
        largest = max(np.abs(expected[path]).max() for path in paths)
        return max(np.abs(found[path] - expected[path]).max() for path in paths) / largest

    def assert_same_bits(self, file, expected_file):
        found, expected = parameters(file), parameters(expected_file)
        self.assertEqual(sorted(found), sorted(expected))
        for path, value in expected.items():
            self.assertTrue(found[path].tobytes() == value.tobytes(), path)

    def test_the_number_of_ranks_does_not_matter(self):
        """But for rounding, which may flip a ReLU: few steps, and small ones, or that grows."""
        options = set_keys(train__epochs=1)
        one = self.train("short1", *options)
        for ranks in (2, 4):
            other = self.train(f"short{ranks}", *options, ranks=ranks)
            self.assertLess(self.distance(other, one), 1e-5, ranks)
            self.assertLess(self.distance(other, one, statistics=True), 1e-4, ranks)
        for key, value in (("train.batch", 12), ("train.fault_aware.rule", "none")):
            other = self.train(f"short-{key}", *options, "--set", f"{key}={value}")
            self.assertGreater(self.distance(other, one), 2e-5, f"a training with {key} = {value} looks the same")

    def test_the_same_ranks_give_the_same_bits(self):
        self.assert_same_bits(self.train("two-again", ranks=2), self.two)

    def test_gloo_sums_as_mpi_does(self):
        """Two summands have one sum, to the last bit; four have one but for rounding."""
        gloo = set_keys(device__collectives="gloo")
        out = self.folder / "gloo2"
        result = self.run_flipstorm("train", self.job, "--out", out, *gloo, ranks=2)
        if "flipstorm was built without it" in result.err:
            self.assert_code(result, USAGE)
            self.skipTest("no Gloo in this build")
        self.assert_code(result, 0)
        self.assertIn("summed by gloo", result.err)
        self.assert_same_bits(out / "model.h5", self.two)
        short = set_keys(train__epochs=1)
        self.assertLess(self.distance(self.train("gloo4", *gloo, *short, ranks=4), self.train("mpi1", *short)), 1e-5)
        # Which of them sums is no part of the job: one goes on where the other was stopped.
        stopped = self.folder / "gloo-stopped"
        self.interrupt(stopped, lambda run: run.process.send_signal(signal.SIGUSR1), *gloo)
        self.finish(stopped)

    def test_nccl_needs_a_gpu_for_every_rank(self):
        result = self.run_flipstorm(
            "train", self.job, "--out", self.folder / "nccl", *set_keys(device__collectives="nccl"), ranks=2
        )
        self.assert_code(result, USAGE)
        self.assertEqual(result.err.count("needs a GPU of its own for every rank"), 1, str(result))

    def test_local_batch_norms(self):
        options = set_keys(train__batch_norm="local", train__batch=25)
        self.assertGreater(self.distance(self.train("local", *options, ranks=2), self.one), 1e-4)
        result = self.run_flipstorm(
            "train", self.job, "--out", self.folder / "small",
            *set_keys(train__batch_norm="local", train__batch=99), ranks=2,
        )
        self.assert_code(result, USAGE)
        self.assertEqual(result.err.count("the last batch of an epoch has 1 image(s) for 2 ranks"), 1, str(result))

    def test_learning_curve(self):
        with h5py.File(self.two, "r") as two, h5py.File(self.one, "r") as one:
            curve = {name: column[:] for name, column in two["training"].items()}
            self.assertEqual(list(curve["epoch"]), [1, 2])
            self.assertTrue((curve["loss"] > 0).all() and (curve["seconds"] > 0).all())
            self.assertTrue((curve["train_accuracy"] * 100 % 1 < 1e-9).all(), "shares of 100 images")
            # Cosine over 2 epochs of 5 steps: the last steps are 4 and 9 of 10.
            expected = 0.0005 * (1 + np.cos(np.pi * np.array([4, 9]) / 10))
            np.testing.assert_allclose(curve["learning_rate"], expected, rtol=1e-12)
            np.testing.assert_allclose(curve["loss"], one["training/loss"][:], rtol=1e-3)
            self.assertEqual(two["training/seconds"].attrs["units"], b"s")

    def interrupt(self, out, end, *options, ranks=2):
        """Start a training that saves every step, and end it by `end` once it has saved; returns what it said."""
        run = self.start(
            "train", self.job, "--out", out, *set_keys(train__checkpoint_minutes=1e-6), *options, ranks=ranks
        )
        self.assertTrue(run.wait_for((out / CHECKPOINT).exists), "it ended before it saved anything")
        end(run)
        result = run.wait()
        self.assertFalse((out / "model.h5").exists(), f"it was through already\n{result}")
        return result

    def finish(self, out):
        result = self.complete("train", self.job, "--out", out, ranks=2)
        self.assertRegex(result.err, r"; [1-9] steps are done already")
        self.assert_same_bits(out / "model.h5", self.two)
        self.assertFalse((out / CHECKPOINT).exists())

    def test_stopped(self):
        out = self.folder / "stopped"
        result = self.interrupt(out, lambda run: run.process.send_signal(signal.SIGUSR1))
        self.assert_code(result, STOPPED)
        self.assertEqual(result.err.count("training stopped"), 1, str(result))
        # Past its deadline it does one step each time, so that it ends some day.
        before = (out / CHECKPOINT).read_bytes()
        late = self.run_flipstorm("train", self.job, "--out", out, "--deadline", 1, ranks=2)
        self.assert_code(late, STOPPED)
        self.assertNotEqual((out / CHECKPOINT).read_bytes(), before)
        self.finish(out)

    def test_killed(self):
        out = self.folder / "killed"
        self.interrupt(out, lambda run: run.kill())
        self.finish(out)

    def test_damaged_or_foreign_checkpoint(self):
        out = self.folder / "damaged"
        self.interrupt(out, lambda run: run.kill())
        file = out / CHECKPOINT
        content = bytearray(file.read_bytes())
        other = self.run_flipstorm("train", self.job, "--out", out, *set_keys(train__lr=0.2), ranks=2)
        self.assert_code(other, USAGE)
        self.assertIn("training of another job", other.err)
        self.assertEqual(file.read_bytes(), bytes(content))
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        result = self.complete("train", self.job, "--out", out, ranks=2)
        self.assertRegex(result.err, rf"{CHECKPOINT}' is ignored, the training begins anew: it is damaged")
        self.assertNotIn("steps are done already", result.err)
        self.assert_same_bits(out / "model.h5", self.two)

    def test_a_diverging_training_is_said_once(self):
        result = self.run_flipstorm(
            "train", self.job, "--out", self.folder / "diverged",
            *set_keys(train__lr=1000, train__weight_decay=1000, train__schedule="constant", train__epochs=5), ranks=2,
        )
        self.assert_code(result, pipeline.DATA)
        self.assertEqual(result.err.count("training diverged"), 1, str(result))

    def test_bench(self):
        out = self.folder / "bench"
        result = self.complete("bench", self.job, "--out", out, "--modes", "training", "--seconds", 1)
        self.assertRegex(result.out, r"[1-9]\d* pairs of training steps")
        self.assertRegex(result.out, r"injection +-?\d+\.\d\d % of a step")
        self.assertFalse(out.exists())
        none = self.run_flipstorm("bench", self.job, "--modes", "training", *set_keys(train__fault_aware__rule="none"))
        self.assert_code(none, USAGE)
        missing = self.run_flipstorm("bench", self.job, "--out", out, "--modes", "exact")
        self.assert_code(missing, IO)


if __name__ == "__main__":
    pipeline.main()
