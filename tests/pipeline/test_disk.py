#!/usr/bin/env python3
"""Disks that are full or may not be written: exit code 74, the file is named, and what was saved stays."""

import os
import shutil
import subprocess
import unittest

import pipeline
from pipeline import COMPLETE, IO, STOPPED, PipelineTest, digests


class Disk(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.disk = cls.folder / "disk"
        cls.disk.mkdir()
        cls.mount("size=8m")  # says whether it can be done at all
        cls.unmount()
        cls.complete("train", cls.job, "--out", cls.folder)
        keys = {"model__file": cls.folder / "model.h5", "campaign__limit": 160, "data__test_images": 50}
        cls.options = [cls.job, *pipeline.set_keys(**keys)]
        cls.complete("inject", *cls.options, "--out", cls.folder / "whole")
        cls.sizes = {file.name: file.stat().st_size for file in (cls.folder / "whole").rglob("*") if file.is_file()}

    @classmethod
    def mount(cls, options):
        command = ["mount", "-t", "tmpfs", "-o", options, "flipstorm-test", cls.disk]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise unittest.SkipTest(f"cannot mount a small disk here: {done.stderr.strip()}")

    @classmethod
    def unmount(cls):
        subprocess.run(["umount", "--lazy", cls.disk], check=True)  # a rank may take a moment longer than mpirun

    def small_disk(self, options):
        self.mount(options)
        self.addCleanup(self.unmount)

    def fill_but(self, left):
        """Leave so many bytes of the disk, rounded down to its pages."""
        status = os.statvfs(self.disk)
        (self.disk / "filler").write_bytes(bytes(max(0, status.f_bavail * status.f_frsize - left)))

    def full_then_free(self, left, phrase, ranks):
        out = self.disk / "out"
        out.mkdir()
        self.fill_but(left)
        result = self.run_flipstorm("inject", *self.options, "--out", out, ranks=ranks, seconds=60)
        self.assert_code(result, IO)
        self.assertIn(str(out), result.err)
        self.assertIn(phrase, result.err)
        self.assertNotIn("HDF5-DIAG", result.err)
        self.assertFalse((out / "campaign.h5").exists())
        if ranks == 0:  # others may be killed by the one that fails
            self.assertEqual([str(path) for path in out.rglob("*.tmp")], [])
        (self.disk / "filler").unlink()
        result = self.complete("inject", *self.options, "--out", out, ranks=ranks)
        self.assert_same_datasets(out / "campaign.h5", self.folder / "whole" / "campaign.h5")
        self.assertEqual([str(path) for path in out.rglob("*.tmp")], [])
        return result

    def test_full_at_the_lock(self):
        self.small_disk("size=1m")
        result = self.full_then_free(0, "cannot lock the out folder", ranks=2)
        self.assertNotIn("took over", result.err)

    def room_for_the_lock(self):
        return os.statvfs(self.disk).f_frsize

    def test_full_at_the_journal(self):
        self.small_disk("size=1m")
        self.full_then_free(self.room_for_the_lock(), ".segment': No space left", ranks=0)

    def test_full_at_the_journal_of_two_ranks(self):
        self.small_disk("size=1m")
        self.full_then_free(self.room_for_the_lock(), ".segment': No space left", ranks=2)

    def room_for_the_journal(self):
        return 4096 * 8 + sum(size for name, size in self.sizes.items() if name.endswith(".segment"))

    def test_full_at_the_campaign(self):
        self.small_disk("size=1m")
        result = self.full_then_free(self.room_for_the_journal(), "campaign.h5", ranks=0)
        self.assertRegex(result.err, r"journal: (\d+) of \1 chunks are done already")

    def test_full_at_the_campaign_of_two_ranks(self):
        self.small_disk("size=1m")
        result = self.full_then_free(self.room_for_the_journal(), "campaign.h5", ranks=2)
        self.assertRegex(result.err, r"journal: (\d+) of \1 chunks are done already")

    def test_full_while_all_ranks_write(self):
        """Room for the header of campaign.h5, which rank 0 writes, but not for the columns, which all ranks write."""
        keys = {"model__file": self.folder / "model.h5", "campaign__limit": 20000, "data__test_images": 20}
        inject = ["inject", self.job, *pipeline.set_keys(**keys), "--out"]
        many = self.folder / "many"
        self.complete(*inject, many, ranks=2)
        size = (many / "campaign.h5").stat().st_size
        self.small_disk("size=2m")
        out = self.disk / "out"
        shutil.copytree(many / "journal", out / "journal")
        journal = digests(out)
        # Until a page is lacking at the very end, when the file is closed.
        for room in (0.3 * size, 0.6 * size, 0.9 * size, size - 8192, size - 4096, size - 1):
            for left_over in out.glob("*.tmp"):
                left_over.unlink()
            self.fill_but(int(room))
            result = self.run_flipstorm(*inject, out, ranks=2, seconds=60)
            self.assertNotIn("[test] killed", result.err, f"it hangs with room for {room} of {size} bytes\n{result}")
            self.assertNotIn(result.code, (COMPLETE, STOPPED), result)
            self.assertIn(str(out), result.err)
            self.assertNotIn("HDF5-DIAG", result.err)
            self.assertFalse((out / "campaign.h5").exists())
            self.assertLessEqual(journal.items(), digests(out).items())
            (self.disk / "filler").unlink()
        self.complete(*inject, out, ranks=2)
        self.assert_same_datasets(out / "campaign.h5", many / "campaign.h5")
        self.assertEqual([str(path) for path in out.rglob("*.tmp")], [])

    def test_a_limit_of_the_file_size(self):
        """At the journal, and at the campaign: an error that names the file, not a death by a signal."""
        room = 1024 + max(size for name, size in self.sizes.items() if name.endswith(".segment"))
        self.assertLess(room, self.sizes["campaign.h5"])
        for limit, phrase in ((1024, ".segment': File too large"), (room, "campaign.h5")):
            out = self.folder / f"limit-{limit}"
            inject = ["inject", *self.options, "--out", out]
            command = ["prlimit", f"--fsize={limit}", self.flipstorm, *inject]
            result = pipeline.Running([str(word) for word in command], self.environment()).wait()
            self.assert_code(result, IO)
            self.assertIn(phrase, result.err)
            self.assertFalse((out / "campaign.h5").exists())
            self.complete(*inject)
            self.assert_same_datasets(out / "campaign.h5", self.folder / "whole" / "campaign.h5")

    def test_full_at_the_model(self):
        self.small_disk("size=128k")
        result = self.run_flipstorm("train", self.job, "--out", self.disk / "out")
        self.assert_code(result, IO)
        self.assertIn(str(self.disk / "out"), result.err)
        self.assertFalse((self.disk / "out" / "model.h5").exists())

    def test_read_only_after_it_was_written(self):
        """What is complete is found so; what is not ends with the name of the file that cannot be written."""
        self.small_disk("size=8m")
        out = self.disk / "out"
        inject = ["inject", *self.options, "--out", out]
        self.complete(*inject)
        subprocess.run(["mount", "-o", "remount,ro", self.disk], check=True)
        self.assertIn("is there and up to date", self.complete(*inject).err)
        subprocess.run(["mount", "-o", "remount,rw", self.disk], check=True)
        (out / "campaign.h5").unlink()
        kept, lost = sorted((out / "journal").iterdir())[0], digests(out)
        lost = {name: digest for name, digest in lost.items() if name != f"journal/{kept.name}"}
        kept.write_bytes(b"")
        subprocess.run(["mount", "-o", "remount,ro", self.disk], check=True)
        for ranks in (0, 2):
            result = self.run_flipstorm(*inject, ranks=ranks)
            self.assert_code(result, IO)
            self.assertRegex(result.err, f"{out}/.*Read-only file system")
        subprocess.run(["mount", "-o", "remount,rw", self.disk], check=True)
        self.assertLessEqual(lost.items(), digests(out).items())
        self.complete(*inject, ranks=2)
        self.assert_same_datasets(out / "campaign.h5", self.folder / "whole" / "campaign.h5")

    def test_read_only(self):
        self.small_disk("ro,size=1m")
        result = self.run_flipstorm("inject", *self.options, "--out", self.disk / "out", ranks=2)
        self.assert_code(result, IO)
        self.assertRegex(result.err, f"{self.disk}/out.*Read-only file system")


if __name__ == "__main__":
    pipeline.main()
