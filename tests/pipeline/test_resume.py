#!/usr/bin/env python3
"""A campaign that is killed or stopped, in every way there is, ends with the outcomes of one that was not."""

import signal

import pipeline
from pipeline import COMPLETE, STOPPED, PipelineTest, digests, kill_if_there, segments, set_keys


class Resume(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        model = cls.folder / "model"
        cls.complete("train", cls.job, "--out", model)
        cls.model = set_keys(model__file=model / "model.h5")
        cls.limit = 4000
        while True:
            cls.killed = cls.folder / f"killed-{cls.limit}"
            if cls.kill_at_first_segment(cls.killed, "inject", cls.job, *cls.options(), ranks=2):
                break
            cls.limit *= 2
        cls.whole = cls.folder / "whole"
        cls.complete("inject", cls.job, "--out", cls.whole, *cls.options(), ranks=2)

    @classmethod
    def options(cls):
        return [*cls.model, *set_keys(campaign__limit=cls.limit, campaign__journal_seconds=0.1, device__threads=1)]

    def start_campaign(self, out, **options):
        """Start it, and return when it has saved something new."""
        before = segments(out)
        run = self.start("inject", self.job, "--out", out, *self.options(), **options)
        self.assertTrue(run.wait_for(lambda: segments(out) != before), "it ended before it saved anything")
        return run

    def finish(self, out, journal=True, **options):
        """Run to the end, and compare with the campaign that nothing interrupted."""
        result = self.complete("inject", self.job, "--out", out, *self.options(), **options)
        if journal:
            self.assertRegex(result.err, r"journal: [1-9]\d* of \d+ chunks are done already")
        self.assert_same_datasets(out / "campaign.h5", self.whole / "campaign.h5")

    def stopped_by(self, text, result, out):
        self.assert_code(result, STOPPED)
        self.assertRegex(result.err, text)
        self.assertRegex(result.err, r"[1-9]\d* of \d+ chunks are left")
        self.assertEqual(result.err.count("chunks are left"), 1, f"every rank says it\n{result}")
        self.assertFalse((out / "campaign.h5").exists())

    def test_killed(self):
        """kill -9 of the launcher and both ranks; three ranks do the rest."""
        self.assertFalse((self.killed / "campaign.h5").exists())
        self.finish(self.killed, ranks=3)

    def test_stopped(self):
        """Every other end, one after the other, each with some progress: nothing that is saved is lost."""
        out = self.folder / "stopped"
        options = ["inject", self.job, "--out", out, *self.options()]

        for number in (signal.SIGTERM, signal.SIGUSR1):
            run = self.start_campaign(out)
            run.process.send_signal(number)
            self.stopped_by(f"signal {number.name}", run.wait(), out)
        saved = digests(out / "journal")
        self.assertGreaterEqual(len(saved), 2)

        run = self.start_campaign(out, ranks=2)
        ranks = run.ranks()
        self.assertGreaterEqual(len(ranks), 2)
        kill_if_there(ranks[-1])
        result = run.wait()
        self.assertNotIn("[test] killed", result.err, "one rank was killed and the others went on for ever")
        self.assertNotIn(result.code, (COMPLETE, STOPPED), result)
        self.assertTrue(pipeline.ended(ranks), "ranks outlive their launcher")
        self.assertFalse((out / "campaign.h5").exists())
        self.assertLessEqual(saved.items(), digests(out / "journal").items())

        # There from the start: it is looked for once a second, and the rest of the campaign may be shorter.
        (out / "STOP").touch()
        self.stopped_by("file STOP found", self.run_flipstorm(*options, ranks=2), out)
        (out / "STOP").unlink()

        self.stopped_by("deadline 1970-01-01T00:00:01Z reached", self.run_flipstorm(*options, "--deadline", 1), out)
        self.assertLessEqual(saved.items(), digests(out / "journal").items())
        self.finish(out, ranks=2)

    def test_deadline_while_training(self):
        out = self.folder / "late-training"
        self.assert_code(self.run_flipstorm("run", self.job, "--out", out, "--deadline", 1), STOPPED)
        self.assertEqual(list(out.glob("*.h5")), [])

    def test_damaged_segments_are_computed_again(self):
        """Torn, empty, flipped, and of other versions: segments that cost their chunks, and a warning each. One that is
        there twice counts once."""
        out = self.folder / "damaged"
        options = ["inject", self.job, "--out", out, *self.model]
        self.complete(*options, ranks=2)
        whole = self.folder / "undamaged.h5"
        (out / "campaign.h5").rename(whole)
        torn, good = segments(out)
        content = torn.read_bytes()
        torn.write_bytes(content[: len(content) // 2])
        journal = out / "journal"
        (journal / "x-r00000-00000000.segment").write_bytes(b"")
        flipped = bytearray(content)
        flipped[len(content) // 2] ^= 1
        (journal / "y-r00000-00000000.segment").write_bytes(flipped)
        (journal / ".z-r00000-00000000.segment.tmp").write_bytes(content[:100])
        for name, version in (("earlier", 1), ("later", 99)):
            other = bytearray(content)
            other[8] = version
            (journal / f"{name}-r00000-00000000.segment").write_bytes(other)
        before = good.read_bytes()
        (journal / "the same again.segment").write_bytes(before)
        result = self.complete(*options)
        for reason in ("is torn", "is empty", "is damaged", "format version 1", "format version 99",
                       "chunks are done already"):
            self.assertIn(reason, result.err)
        self.assertEqual(good.read_bytes(), before)
        self.assertEqual([file.name for file in journal.glob(".*")], [], "half-written segments stay")
        self.assert_same_datasets(out / "campaign.h5", whole)


if __name__ == "__main__":
    pipeline.main()
