#!/usr/bin/env python3
"""SIGKILL at random moments to any rank, to all of them, to the launcher, on any number of ranks, over and over: nothing
that was saved is lost, nothing half-written is taken for a result, and in the end the campaign is the one that was
never interrupted. FLIPSTORM_TEST_SEED repeats a run."""

import os
import random
import time

import pipeline
from pipeline import COMPLETE, PipelineTest, digests, kill_if_there, segments, set_keys

KILLS = 12  # of each mode
VICTIMS = ["a rank", "the last rank", "rank 0", "all ranks", "the launcher", "launcher and ranks"]


def saved_segments(out):
    return {name: digest for name, digest in digests(out / "journal").items() if name.endswith(".segment")}


class Kill(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.seed = int(os.environ.get("FLIPSTORM_TEST_SEED") or random.SystemRandom().randrange(10**6))
        print(f"FLIPSTORM_TEST_SEED={cls.seed}")
        model = cls.folder / "model"
        cls.complete("train", cls.job, "--out", model)
        cls.model = model / "model.h5"

    def options(self, mode, limit):
        keys = {"campaign__limit": limit, "campaign__journal_seconds": 0.05, "device__threads": 1}
        return [*set_keys(model__file=self.model, campaign__evaluation=mode, **keys)]

    def calibrated(self, mode):
        """A campaign that nothing interrupts: its options, its file, and how long it takes to start and end, and to inject."""
        limit = 2000
        while True:
            whole = self.folder / f"{mode}-{limit}"
            begin = time.monotonic()
            result = self.complete("inject", self.job, "--out", whole, *self.options(mode, limit), ranks=2)
            seconds = time.monotonic() - begin
            injecting = float(pipeline.re_group(r"now in ([\d.]+) s", result.err))
            if injecting > 2:
                return self.options(mode, limit), whole / "campaign.h5", seconds - injecting, injecting
            limit *= 2 if injecting > 1 else 4

    def victims(self, run, kind):
        """Process ids to kill, and what they are called; the launcher while it has no rank."""
        launcher, ranks = run.process.pid, sorted(run.ranks())
        if not ranks:
            return [launcher], "the launcher, which has no rank"
        return {
            "a rank": [self.random.choice(ranks)],
            "the last rank": ranks[-1:],
            "rank 0": ranks[:1],
            "all ranks": ranks,
            "the launcher": [launcher],
            "launcher and ranks": [launcher, *ranks],
        }[kind], kind

    def kill_once(self, out, options, whole, seconds, kind):
        """Start, kill at a random moment, and look at what stays. Returns whether anything was killed."""
        ranks = self.random.randint(1, 4)
        in_the_middle = self.random.random() < 0.6
        moment = self.random.uniform(0, seconds[in_the_middle])
        saved = saved_segments(out)
        locked = (out / "lock").exists()
        run = self.start("inject", self.job, "--out", out, *options, ranks=ranks)
        if in_the_middle:
            run.wait_for(lambda: run.says("rank(s), cpu"))
        begin = time.monotonic()
        while time.monotonic() < begin + moment and run.process.poll() is None:
            time.sleep(0.01)
        pids = pipeline.descendants(run.process.pid)
        running = run.process.poll() is None
        said = ""
        if running:
            chosen, said = self.victims(run, kind)
            for pid in chosen:
                kill_if_there(pid)
        result = run.wait(60)
        self.assertNotIn("[test] killed", result.err, f"{said} was killed and the rest went on for ever\n{result}")
        self.assertTrue(pipeline.ended(pids), f"ranks outlive {said}\n{result}")
        after = segments(out)
        since = "of injecting" if in_the_middle else "after the start"
        what = said or "ended before"
        print(f"{ranks} rank(s), {moment:.2f} s {since}, {what}: exit code {result.code}, {len(after)} segments")
        self.assertLessEqual(saved.items(), saved_segments(out).items(), f"a segment was lost or changed\n{result}")
        self.with_progress += running and len(after) > len(saved)
        if locked and "rank(s), cpu" in result.err:
            self.assertIn("took over the out folder", result.err, str(result))
            self.takeovers += 1
        if (out / "campaign.h5").exists():
            self.assert_same_datasets(out / "campaign.h5", whole)
            self.complete_ones += 1
            for file in [*out.glob("*.h5"), *after]:
                file.unlink()
        else:
            self.assertNotEqual(result.code, COMPLETE, str(result))
        return running

    def kill_over_and_over(self, mode):
        self.random = random.Random(f"{self.seed} {mode}")
        self.takeovers = self.complete_ones = self.with_progress = 0
        options, whole, *seconds = self.calibrated(mode)
        out = self.folder / f"killed-{mode}"
        kinds = VICTIMS * (KILLS // len(VICTIMS))
        self.random.shuffle(kinds)
        while kinds:
            if self.kill_once(out, options, whole, seconds, kinds[-1]):
                kinds.pop()
        self.complete("inject", self.job, "--out", out, *options, ranks=self.random.randint(1, 4))
        self.assert_same_datasets(out / "campaign.h5", whole)
        self.assertEqual([str(file) for file in (out / "journal").rglob("*.tmp")], [], "half-written segments stay")
        self.assertFalse((out / "lock").exists())
        self.assertGreater(self.takeovers, 0, "no start ever found the lock of a killed one")
        self.assertGreater(self.with_progress, 0, "no killed start had saved anything")
        print(
            f"{mode}: {KILLS} kills, {self.with_progress} of them after something new was saved, {self.takeovers} locks "
            f"taken over, {self.complete_ones} campaigns completed"
        )

    def test_exact(self):
        self.kill_over_and_over("exact")

    def test_screened(self):
        self.kill_over_and_over("screened")


if __name__ == "__main__":
    pipeline.main()
