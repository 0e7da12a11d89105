#!/usr/bin/env python3
"""What strangers leave in an out folder or hide in a file does not harm: links and pipes, names and texts that are no
text, archives that lie about their sizes."""

import json
import os
import re
import shutil
import socket
import struct
import zlib

import pipeline
from pipeline import COMPLETE, IO, USAGE, PipelineTest, segments, set_keys

SECONDS = 60  # what hangs is killed then


def reframe(file, change):
    """Change the payload of a framed file and make its checksum right again."""
    content = file.read_bytes()
    payload = bytearray(content[24:])
    change(payload)
    file.write_bytes(content[:12] + struct.pack("<QI", len(payload), zlib.crc32(payload)) + payload)


class Hostile(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.base = cls.folder / "base"
        cls.complete("run", cls.job, "--out", cls.base, *set_keys(forest__trees=4, forest__folds=2))

    def copy(self, name, *files):
        """A new out folder with some files of a finished job."""
        out = self.folder / name
        out.mkdir()
        for file in files:
            shutil.copy2(self.base / file, out / file)
        return out

    def run_here(self, *arguments, **options):
        result = self.run_flipstorm(*arguments, seconds=SECONDS, **options)
        for text in ("terminate called", "what():", "Traceback", "HDF5-DIAG"):
            self.assertNotIn(text, result.err, str(result))
        return result

    def test_links_in_place_of_temporary_files(self):
        out = self.copy("links", "model.h5")
        victim = self.folder / "victim"
        victim.write_text("untouched")
        for name in ("campaign.toml", "campaign.h5", "forest.h5", "protection.h5", "report.html", "lock"):
            (out / f".{name}.tmp").symlink_to(victim)
        (out / "figures").mkdir()
        (out / "figures" / "roc.png").symlink_to(victim)
        self.complete("run", self.job, "--out", out, *set_keys(forest__trees=4, forest__folds=2))
        self.assertEqual(victim.read_text(), "untouched")
        self.assertFalse((out / "figures" / "roc.png").is_symlink())
        left = [path for path in out.rglob(".*.tmp") if not path.is_symlink()]
        self.assertEqual(left, [], "a temporary file was left")

    def test_what_a_dead_start_left(self):
        out = self.copy("dead", "model.h5", "campaign.h5")
        dead = out / f".campaign.h5.{'0' * 16}{'1' * 16}.tmp"
        young = out / f".campaign.h5.{'0' * 16}{'2' * 16}.tmp"
        foreign = out / ".notes.tmp"
        for file in (dead, young, foreign):
            file.write_text("half")
        for file in (dead, foreign):
            os.utime(file, (1e9, 1e9))
        self.complete("inject", self.job, "--out", out)
        self.assertEqual([file.exists() for file in (dead, young, foreign)], [False, True, True])

    def test_modules_in_the_current_folder(self):
        out = self.copy("modules", "model.h5", "campaign.h5", "forest.h5", "protection.h5")
        here = self.folder / "here"
        here.mkdir()
        for name in ("re", "h5py", "matplotlib", "site", "os"):
            (here / f"{name}.py").write_text(f"open({str(here / 'EXECUTED')!r}, 'w')\nraise SystemExit(0)\n")
        (here / "matplotlibrc").write_text("savefig.format: pdf\nno.such.key: 1\n")
        before = os.getcwd()
        os.chdir(here)
        try:
            result = self.complete("report", self.job, "--out", os.path.relpath(out),
                                   *set_keys(forest__trees=4, forest__folds=2), environment={"PYTHONPATH": ":."})
        finally:
            os.chdir(before)
        self.assertFalse((here / "EXECUTED").exists())
        self.assertNotIn("no figures", result.err)
        self.assertNotIn("matplotlibrc", result.err)
        self.assertTrue((out / "figures" / "roc.png").is_file(), str(result))

    def test_pipes_and_devices(self):
        """Nothing waits, and what is wrong is named."""
        def pipe(path):
            os.mkfifo(path)

        def endless(path):
            path.symlink_to("/dev/zero")

        def listener(path):
            end = socket.socket(socket.AF_UNIX)
            self.addCleanup(end.close)
            here = os.open(path.parent, os.O_RDONLY)  # the names of sockets are short
            end.bind(f"/proc/self/fd/{here}/{path.name}")
            os.close(here)

        for number, (name, make, kind, commands) in enumerate((
            ("lock", endless, "a device", ("inject", "status")),
            ("lock", pipe, "a pipe", ("inject",)),
            ("campaign.h5", pipe, "a pipe", ("inject", "status")),
            ("campaign.h5", endless, "a device", ("inspect",)),
            ("model.h5", listener, "a socket", ("inject",)),
            ("campaign.toml", pipe, "a pipe", ("status",)),
        )):
            for command in commands:
                with self.subTest(name, kind=kind, command=command):
                    out = self.copy(f"special{number}-{command}", *(["model.h5"] if name != "model.h5" else []))
                    make(out / name)
                    if command == "inspect":
                        result = self.run_here("inspect", out / name)
                    else:
                        result = self.run_here(command, *([] if command == "status" else [self.job, "--out"]), out)
                    self.assert_code(result, COMPLETE if command == "status" else IO)
                    said = result.out if command == "status" else result.err
                    self.assertIn(str(out / name), said)
                    self.assertIn(kind, said)

    def test_control_characters(self):
        out = self.copy("control", "model.h5")
        (out / "lock").write_bytes(b"flipstorm lock 1\ntoken: a\nuser: \x1b]0;title\x07\xff\nhost: other\n")
        (out / "last_error.txt").write_bytes(b"message: \x1b[2J\xc2\x9b\n")
        locked = self.run_here("inject", self.job, "--out", out)
        self.assert_code(locked, IO)
        status = self.run_here("status", out)
        self.assert_code(status, COMPLETE)
        override = self.run_here("plan", self.job, "--set", "job.name=\x1b]0;title\x07")
        self.assert_code(override, USAGE)
        for result, text in ((locked, r"\x1b]0;title\x07\xff"), (status, r"\x1b[2J\xc2\x9b"), (override, r"\x1b]0;title")):
            for stream in (result.out, result.err):
                self.assertFalse(re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", stream), str(result))
            self.assertIn(text, result.out + result.err)

    def test_a_folder_whose_name_is_no_text(self):
        out = self.folder / os.fsdecode(b"u\xff\x1b")
        shutil.copytree(self.base, out)
        shutil.rmtree(out / "figures")
        report = self.complete("report", self.job, "--out", out, "--fresh", *set_keys(forest__trees=4, forest__folds=2))
        self.assertNotIn("Traceback", report.err)
        self.assertTrue((out / "figures" / "roc.png").is_file(), str(report))
        status = self.complete("status", out, "--json")
        self.assertTrue(json.loads(status.out)["out"].endswith("u\ufffd\x1b"))

    def test_job_texts(self):
        for name, text, line in (("deep", "x = " + "[" * 8000 + "]" * 8000, 1),
                                 ("list", "[campaign]\ntolerances = [" + "0.5, " * 100000 + "]", 2),
                                 ("key", "k" * 1000000 + " = 1", 1)):
            with self.subTest(name):
                job = self.folder / f"{name}.toml"
                job.write_text(text)
                result = self.run_here("plan", job)
                self.assert_code(result, USAGE)
                self.assertIn(f"{job}:{line}: ", result.err)
        folder = self.copy("description")
        described = (self.base / "campaign.toml").read_bytes()
        for name, content in (("no text", described.replace(b"[job]", b"[j\xffb]")),
                              ("no time", re.sub(rb"started = \d+", b"started = 99999999999999999999", described))):
            with self.subTest(name):
                self.assertNotEqual(content, described)
                (folder / "campaign.toml").write_bytes(content)
                result = self.run_here("status", folder)
                self.assert_code(result, COMPLETE)
                self.assertIn("no description of a campaign", result.out)

    def test_segments_that_lie(self):
        """A damaged archive with the right checksum costs its chunks, not the campaign."""
        whole = self.copy("lies", "model.h5")
        limited = [*set_keys(campaign__limit=4000, campaign__journal_seconds=0.01)]
        if not self.kill_at_first_segment(whole, "inject", self.job, *limited, ranks=1):
            self.skipTest("it ended before its first segment was seen")
        shutil.copytree(whole, self.folder / "good")
        self.complete("inject", self.job, "--out", self.folder / "good", *limited)
        entry = 8 + 22 + 64  # the archive's header, and more
        for name, change in (
            ("a name of 2^60 bytes", lambda payload: payload.__setitem__(slice(0, 8), struct.pack("<Q", 1 << 60))),
            ("2^30 outcomes", lambda payload: payload.__setitem__(slice(-1000, -1), b"\x40" * 999)),
            ("lengths everywhere", lambda payload: payload.__setitem__(slice(entry + 60, len(payload)),
                                                                      b"\xff" * (len(payload) - entry - 60))),
        ):
            with self.subTest(name):
                out = self.folder / ("lies-" + name.replace(" ", "-"))
                shutil.copytree(whole, out)
                file = segments(out)[0]
                reframe(file, change)
                status = self.run_here("status", out)
                self.assert_code(status, COMPLETE)
                result = self.run_here("inject", self.job, "--out", out, *limited)
                self.assert_code(result, COMPLETE)
                self.assertIn(file.name, result.err)
                self.assert_same_datasets(out / "campaign.h5", self.folder / "good" / "campaign.h5")


if __name__ == "__main__":
    pipeline.main()
