#!/usr/bin/env python3
"""One job at a time in an out folder: the second is refused and told by whom, a dead one's lock is taken over. And what a
rank that fails alone leaves: a message, the right exit code, the last error, and a journal to go on with."""

import getpass
import pathlib
import re
import signal
import socket
import subprocess
import time
import unittest

import pipeline
from pipeline import IO, STOPPED, USAGE, PipelineTest, digests, segments, set_keys

LOCK = """flipstorm lock 1
token: {token}
host: {host}
machine: another
boot: another
pid_namespace: pid:[1]
pid: 1
process_start: 1
user: anna
started: 2023-04-17T09:30:00Z
slurm_cluster: {cluster}
slurm_job: {job}
slurm_restart: {restart}
command: flipstorm run far.toml
"""


def write_lock(out, **fields):
    """The lock of a job on another host."""
    out.mkdir(exist_ok=True)
    fields = {"token": "0123456789abcdef", "host": "far", "cluster": "", "job": "", "restart": 0, **fields}
    (out / "lock").write_text(LOCK.format(**fields))


class Lock(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.complete("train", cls.job, "--out", cls.folder)
        cls.options = set_keys(model__file=cls.folder / "model.h5")
        keys = {"campaign__evaluation": "reference", "data__test_images": 50, "campaign__limit": 1000000}
        cls.long = [*cls.options, *set_keys(campaign__journal_seconds=0.05, device__threads=1, **keys)]

    def start_long(self, out, **options):
        run = self.start("inject", self.job, "--out", out, *self.long, **options)
        self.addCleanup(lambda: run.process.poll() is None and run.kill())
        self.assertTrue(run.wait_for(lambda: segments(out)), "it ended before it saved anything")
        return run

    def test_the_second_job_is_refused(self):
        out = self.folder / "shared"
        first = self.start_long(out, ranks=2)
        lock = dict(line.split(": ", 1) for line in (out / "lock").read_text().splitlines()[1:])
        self.assertIn(int(lock["pid"]), first.ranks())
        self.assertEqual(lock["host"], socket.gethostname())
        self.assertRegex(lock["command"], "flipstorm inject .*job.toml")
        for command, ranks in (("inject", 2), ("run", 0), ("forest", 0)):
            before = time.monotonic()
            result = self.run_flipstorm(command, self.job, "--out", out, *self.long, ranks=ranks)
            self.assert_code(result, IO)
            who = f"in use by {getpass.getuser()} on {lock['host']} (process {lock['pid']})"
            for text in (str(out), who, lock["started"], lock["command"], "--out"):
                self.assertIn(text, result.err)
            self.assertEqual(result.err.count("in use by"), 1, str(result))
            self.assertLess(time.monotonic() - before, 30)
        self.complete("plan", self.job, "--out", out, *self.long)  # writes nothing, and so needs no lock
        self.assertIsNone(first.process.poll(), "the first job did not go on, or was too short for this test")
        self.assertFalse((out / "last_error.txt").exists(), "the error of the refused job is not the folder's")
        first.process.send_signal(signal.SIGUSR1)
        self.assert_code(first.wait(), STOPPED)
        self.assertEqual(list(out.glob("*lock*")) + list(out.glob(".lock*")), [])

    def test_a_killed_job_is_followed(self):
        out = self.folder / "killed"
        run = self.start_long(out, ranks=2)
        run.kill()
        run.wait()
        self.assertTrue((out / "lock").exists())
        (out / "STOP").touch()
        result = self.run_flipstorm("inject", self.job, "--out", out, *self.long)
        self.assert_code(result, STOPPED)
        self.assertRegex(result.err, r"took over the out folder .* \(process \d+\).*: its process is gone")
        self.assertFalse((out / "lock").exists())

    def test_another_host(self):
        out = self.folder / "far"
        write_lock(out)
        before = digests(out)
        inject = ["inject", self.job, "--out", out, *self.options]
        result = self.run_flipstorm(*inject)
        self.assert_code(result, IO)
        self.assertIn("in use by anna on far (process 1), started 2023-04-17T09:30:00Z: flipstorm run far.toml", result.err)
        self.assertRegex(result.err, f"if it is dead, remove '{out}/lock', or try again in (600|59.) s")
        self.assertEqual(digests(out), before)
        (out / "lock").unlink()
        self.complete(*inject)
        self.assertFalse((out / "lock").exists())

    def test_slurm_starts_a_job_again(self):
        """The first node of the job is lost, and Slurm starts it on another one."""
        out = self.folder / "slurm"
        write_lock(out, cluster="alps", job=77, restart=1)
        inject = ["inject", self.job, "--out", out, *self.options]
        slurm = {"SLURM_CLUSTER_NAME": "alps", "SLURM_JOB_ID": "77", "SLURM_RESTART_COUNT": "1"}
        refused = self.run_flipstorm(*inject, environment=slurm)
        self.assert_code(refused, IO)
        self.assertIn("Slurm job 77", refused.err)
        self.assert_code(self.run_flipstorm(*inject, environment={**slurm, "SLURM_JOB_ID": "78"}), IO)
        result = self.complete(*inject, environment={**slurm, "SLURM_RESTART_COUNT": "2"})
        self.assertIn("Slurm has started the same job again", result.err)

    def test_the_last_error(self):
        out = self.folder / "errors"
        inject = ["inject", self.job, "--out", out]
        self.assert_code(self.run_flipstorm(*inject, *set_keys(model__file=self.folder / "none.h5")), IO)
        note = (out / "last_error.txt").read_text()
        self.assertRegex(note, r"^time: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n")
        self.assertIn(f"rank: 0 of 1\nhost: {socket.gethostname()}\ncommand: flipstorm inject", note)
        self.assertRegex(note, "\nmessage: .*none.h5.*No such file")
        self.assert_code(self.run_flipstorm(*inject, *set_keys(campaign__limti=3)), USAGE)  # never came to a stage
        self.assertEqual((out / "last_error.txt").read_text(), note)
        self.complete(*inject, *self.options)
        self.assertFalse((out / "last_error.txt").exists())


class OneRankFails(PipelineTest):
    """The journal is read-only, for one rank of three, from some moment on."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = subprocess.run(["unshare", "-m", "true"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise unittest.SkipTest(f"no mount namespaces here: {done.stderr.strip()}")
        cls.complete("train", cls.job, "--out", cls.folder)
        keys = {"campaign__limit": 4000, "campaign__journal_seconds": 0.05, "device__threads": 1}
        cls.options = set_keys(model__file=cls.folder / "model.h5", **keys)
        cls.whole = cls.folder / "whole"
        cls.complete("inject", cls.job, "--out", cls.whole, *cls.options, ranks=2)

    def fails(self, rank):
        out = self.folder / f"rank-{rank}"
        (out / "journal").mkdir(parents=True)
        flipstorm = pathlib.Path(self.flipstorm)
        program = self.folder / f"fails-{rank}.sh"
        program.write_text(
            f"""#!/bin/sh
if [ "${{OMPI_COMM_WORLD_RANK:-${{PMIX_RANK:-$PMI_RANK}}}}" = {rank} ]; then
  exec unshare -m sh -c 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"' "{out}/journal" "{flipstorm}" "$@"
fi
exec "{flipstorm}" "$@"
"""
        )
        program.chmod(0o755)
        command = [self.mpiexec, self.numproc_flag, "3", program, "inject", self.job, "--out", out, *self.options]
        run = pipeline.Running([str(word) for word in command], self.environment())
        self.assertTrue(run.wait_for(lambda: run.says(f"flipstorm (rank {rank} on ")), str(run.err))
        pids = pipeline.descendants(run.process.pid)
        begin = time.monotonic()
        result = run.wait()
        self.assertLess(time.monotonic() - begin, 15, "the others took long to end")
        self.assertTrue(pipeline.ended(pids))
        self.assert_code(result, IO)
        host = socket.gethostname()
        self.assertRegex(result.err, rf"flipstorm \(rank {rank} on {re.escape(host)}\): cannot .*{out}/journal.*Read-only")
        self.assertEqual(result.err.count("flipstorm (rank"), 1, str(result))
        note = (out / "last_error.txt").read_text()
        self.assertIn(f"rank: {rank} of 3\nhost: {host}\n", note)
        self.assertRegex(note, f"message: cannot .*{out}/journal.*Read-only")
        self.assertFalse((out / "lock").exists())
        self.assertFalse((out / "campaign.h5").exists())
        saved = digests(out / "journal")
        self.complete("inject", self.job, "--out", out, *self.options, ranks=2)
        self.assertLessEqual(saved.items(), digests(out / "journal").items())
        self.assert_same_datasets(out / "campaign.h5", self.whole / "campaign.h5")
        self.assertFalse((out / "last_error.txt").exists())

    def test_rank_0(self):
        self.fails(0)

    def test_the_last_rank(self):
        self.fails(2)


if __name__ == "__main__":
    pipeline.main()
