#!/usr/bin/env python3
"""Every stage ends within seconds when it is asked to, wherever it is, and goes on as if it had not; what cannot be
printed, or does not fit the memory, ends with the right exit code."""

import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import pipeline
from pipeline import COMPLETE, IO, STOPPED, USAGE, PipelineTest, datasets, set_keys

INTERNAL = 70
SECONDS = 10  # from the signal to the end


def fits(out):
    return sorted((out / "forest-journal").glob("*.fit"))


class Stop(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.base = cls.folder / "base"
        cls.complete("run", cls.job, "--out", cls.base)
        # Long enough to be stopped in, and with fits that are short against that.
        cls.given = [cls.job, *set_keys(model__file=cls.base / "model.h5", forest__campaign=cls.base / "campaign.h5")]
        cls.long_forest = [*cls.given, *set_keys(forest__trees=60000, forest__folds=5, campaign__journal_seconds=0.1)]

    def ends_soon(self, run, code=STOPPED):
        begin = time.monotonic()
        result = run.wait(60)
        self.assert_code(result, code)
        self.assertLess(time.monotonic() - begin, SECONDS, result)
        return result

    def same_forest(self, out, expected):
        found, whole = datasets(out / "forest.h5"), datasets(expected / "forest.h5")
        self.assertEqual(sorted(found), sorted(whole))
        for path, value in whole.items():
            self.assertTrue(found[path].tobytes() == value.tobytes(), path)

    def test_forest_goes_on_where_it_was_stopped(self):
        trees = set_keys(forest__trees=3000, forest__folds=5, campaign__journal_seconds=0.05)
        whole = self.folder / "whole"
        self.complete("forest", *self.given, *trees, "--out", whole)
        self.assertFalse((whole / "forest-journal").exists())
        out = self.folder / "stopped"
        options = ["forest", *self.given, *trees, "--out", out]
        for number, ranks in ((signal.SIGTERM, 0), (signal.SIGUSR2, 0)):
            before = len(fits(out))
            run = self.start(*options, ranks=ranks)
            self.assertTrue(run.wait_for(lambda: len(fits(out)) > before + 1), "it ended before it was stopped")
            run.process.send_signal(number)
            result = self.ends_soon(run)
            self.assertRegex(result.err, rf"stopped by signal {number.name}: finished fits are kept")
            self.assertFalse((out / "forest.h5").exists())
            self.assertFalse((out / "lock").exists())
        damaged, foreign = fits(out)[:2]
        content = bytearray(damaged.read_bytes())
        content[-1] ^= 1
        damaged.write_bytes(content)
        foreign.write_bytes(b"notes")
        result = self.complete(*options, ranks=2)
        for file in (damaged, foreign):
            self.assertIn(f"'{file}' is ignored", result.err)
        self.assertRegex(result.err, r"[1-9]\d* fits were done already")
        self.same_forest(out, whole)
        self.assertFalse((out / "forest-journal").exists())

    def test_forest_of_two_ranks_stops_by_every_reason(self):
        out = self.folder / "ranks"
        options = ["forest", *self.long_forest, "--out", out]
        run = self.start(*options, ranks=2)
        self.assertTrue(run.wait_for(lambda: fits(out)))
        last = max(pid for pid in run.ranks() if "flipstorm" in pathlib.Path(f"/proc/{pid}/cmdline").read_text())
        os.kill(last, signal.SIGUSR1)
        self.assertRegex(self.ends_soon(run).err, "stopped by signal SIGUSR1")

        (out / "STOP").touch()
        self.assertRegex(self.ends_soon(self.start(*options, ranks=2)).err, "stopped by file STOP found")
        (out / "STOP").unlink()
        run = self.start(*options, "--deadline", int(time.time()) + 3)
        time.sleep(2)
        self.assertRegex(self.ends_soon(run).err, r"stopped by deadline .* reached")
        self.assertTrue(fits(out))
        self.assertFalse((out / "forest.h5").exists())

    def test_what_keeps_nothing(self):
        """A deadline that is past stops every command before it writes anything."""
        forest = set_keys(harden__forest=self.base / "forest.h5")
        out = self.folder / "nothing"
        for command in (["forest", *self.given], ["harden", *self.given, *forest], ["report", *self.given, *forest],
                        ["bench", *self.given], ["plan", *self.given, "--calibrate", "60"], ["run", *self.given]):
            with self.subTest(command[0]):
                result = self.run_flipstorm(*command, "--out", out, "--deadline", 1)
                self.assert_code(result, STOPPED)
                self.assertRegex(result.err, "stopped by deadline 1970-01-01T00:00:01Z reached")
                self.assertEqual([str(file) for file in out.rglob("*")], [])

    def test_bench_and_plan_stop_in_the_middle(self):
        for command in (["bench", "--seconds", "300", "--faults", "1000000"], ["plan", "--calibrate", "300"]):
            with self.subTest(command[0]):
                run = self.start(command[0], *self.given, *command[1:], *set_keys(campaign__evaluation="reference"))
                time.sleep(2)
                self.assertIsNone(run.process.poll())
                run.process.send_signal(signal.SIGTERM)
                result = self.ends_soon(run)
                self.assertRegex(result.err, rf"stopped by signal SIGTERM: a {command[0]}\w* keeps nothing")
                self.assertEqual(result.out, "")

    def test_the_drawing_child_is_ended(self):
        """A Python that never comes to an end, named as a site would name its own."""
        slow = self.folder / "slow-python"
        # Arguments: -I -c SCRIPT; the folder to draw in comes behind, if it is to draw.
        slow.write_text("#!/bin/sh\n[ $# -gt 3 ] || exit 0\ntouch \"$4/figures-begun\"\nexec sleep 600\n")
        slow.chmod(0o755)
        out = pipeline.copy_folder(self.base, self.folder / "drawing")
        (out / "report.html").unlink(missing_ok=True)
        run = self.start("report", self.job, "--out", out, environment={"FLIPSTORM_PYTHON": str(slow)})
        if not run.wait_for(lambda: list(self.folder.rglob("figures-begun")) or run.process.poll() is not None, 60):
            self.fail(str(run.wait()))
        children = run.ranks()
        run.process.send_signal(signal.SIGTERM)
        self.ends_soon(run)
        self.assertTrue(pipeline.ended(children), "the drawing goes on")
        self.assertFalse((out / "report.html").exists())

    def test_signals_while_the_program_starts(self):
        """At any moment from the first instruction on: 75, or complete if it came too late; never killed by it. Before
        that, while the libraries are mapped, nothing can help."""
        for delay in (0.1, 0.2, 0.3, 0.4, 0.6):
            out = self.folder / f"early-{delay}"
            run = self.start("inject", *self.given, "--out", out)
            caught = f"/proc/{run.process.pid}/status"
            mask = 1 << (signal.SIGUSR1 - 1)

            def handled():
                return any(int(line.split()[1], 16) & mask
                           for line in pathlib.Path(caught).read_text().splitlines() if line.startswith("SigCgt"))

            self.assertTrue(run.wait_for(handled))
            time.sleep(delay - 0.1)
            run.process.send_signal(signal.SIGUSR1)
            result = run.wait(60)
            self.assertIn(result.code, (STOPPED, COMPLETE), result)
            if delay == 0.1:
                self.assert_code(result, STOPPED)

    def test_standard_output(self):
        """What cannot be printed is exit code 74, for every command that prints."""
        commands = {
            "status": ["status", self.base, "--json"],
            "plan": ["plan", *self.given, "--calibrate", "0"],
            "dry run": ["run", *self.given, "--dry-run"],
            "config": ["run", *self.given, "--print-config"],
            "report": ["report", self.job, "--out", self.base],
            "inspect": ["inspect", self.base / "model.h5"],
            "version": ["--version"],
            "help": ["inject", "--help"],
        }
        for name, words in commands.items():
            with self.subTest(name):
                result = self.shell(words, ">/dev/full")
                self.assert_code(result, IO)
                self.assertIn("cannot write to standard output: No space left", result.err)
        for name in ("status", "report"):
            with self.subTest(name, output="closed"):
                result = self.shell(commands[name], ">&-")
                self.assert_code(result, IO)
                self.assertIn("cannot write to standard output: Bad file descriptor", result.err)
        # What prints nothing needs no output.
        self.assert_code(self.shell(["inject", *self.given, "--out", self.folder / "silent"], ">&-"), COMPLETE)

    def test_a_reader_that_is_gone(self):
        """The work is done and saved before anyone is told."""
        out = self.folder / "gone"
        result = self.shell(["run", *self.given, "--out", out], "| true; exit ${PIPESTATUS[0]}")
        self.assert_code(result, IO)
        self.assertIn("Broken pipe", result.err)
        for name in ("forest.h5", "protection.h5", "report.html"):
            self.assertTrue((out / name).exists(), name)

    def shell(self, words, redirection):
        """Run flipstorm in a shell with a redirection behind it."""
        command = ["bash", "-c", f'"$@" {redirection}', "bash", self.flipstorm, *map(str, words)]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=120, check=False)
        return pipeline.Result(command, done.returncode, done.stdout, done.stderr)

    def test_out_folders_that_look_like_options(self):
        for words in (["--out", ""], ["--out=-x"], ["--out", "-x"], ["--out=--fresh"]):
            with self.subTest(words=words):
                result = self.run_flipstorm("inject", *self.given, *words)
                self.assert_code(result, USAGE)
                self.assertIn("--out", result.err)
        self.assertIn("./-x", self.run_flipstorm("inject", *self.given, "--out=-x").err)
        self.assert_code(self.run_flipstorm("status", ""), USAGE)
        self.assert_code(self.run_flipstorm("inject", *self.given, *set_keys(job__out="-x")), USAGE)

    def test_a_variant_named_as_a_file_of_ours(self):
        job = self.folder / "lock.toml"
        job.write_text(pipeline.SYNTHETIC_JOB + '[[variant]]\nname = "lock"\n[[variant]]\nname = "b"\n')
        out = self.folder / "variants"
        result = self.run_flipstorm("run", job, "--out", out)
        self.assert_code(result, USAGE)
        self.assertIn('"lock"', result.err)
        self.assertFalse(out.exists())

    def test_little_address_space(self):
        """Whatever the limit, it ends by itself: complete, or one line and exit code 70."""
        if "__asan_init" in subprocess.run(["nm", "-D", self.flipstorm], capture_output=True, text=True, check=False).stdout:
            raise unittest.SkipTest("a sanitizer takes address space of its own")
        enough = self.least_address_space()
        ends = set()
        for kib in range(enough - 60000, enough + 400001, 60000):
            result = self.limited(kib, ["inject", *self.given, "--out", self.folder / f"limit-{kib}"])
            if result.code == 127:
                continue  # the libraries do not even fit: the dynamic linker says so
            self.assertIn(result.code, (COMPLETE, INTERNAL), f"{kib} KiB\n{result}")
            ends.add(result.code)
            if result.code == INTERNAL:
                self.assertIn("memory", result.err)
                self.assertNotIn("frame #", result.err)
                self.assertNotIn("terminate called", result.err)
        self.assertEqual(ends, {COMPLETE, INTERNAL}, "the limits do not tell the two apart")

    def limited(self, kib, words):
        command = ["bash", "-c", f'ulimit -v {kib}; exec "$@"', "bash", self.flipstorm, *map(str, words)]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=60, check=False)
        return pipeline.Result(command, done.returncode, done.stdout, done.stderr)

    def least_address_space(self):
        """KiB with which --version just works, to 40,000."""
        low, high = 20000, 8000000
        while high - low > 40000:
            middle = (low + high) // 2
            if self.limited(middle, ["--version"]).code == COMPLETE:
                high = middle
            else:
                low = middle
        return high


if __name__ == "__main__":
    if not sys.platform.startswith("linux"):
        sys.exit(77)
    pipeline.main()
