#!/usr/bin/env python3
"""`flipstorm status` tells how a campaign is doing: before it, while it runs, stopped, killed, damaged, and complete."""

import json
import os
import subprocess

import h5py
import numpy as np
import pipeline
from pipeline import COMPLETE, IO, STOPPED, USAGE, PipelineTest, segments, set_keys

NOBODY = 65534


def tree(folder):
    """Name, size and times of everything below a folder."""
    return sorted(
        (str(path), path.stat().st_size, path.stat().st_mtime_ns, path.stat().st_ino)
        for path in [folder, *folder.rglob("*")]
    )


def counts_by_numpy(file, tolerance):
    """(layer, bit): (population, faults, critical) of every stratum, and the network's share, from campaign.h5."""
    with h5py.File(file, "r") as opened:
        names = [name.decode() for name in opened["layers/name"][:]]
        strata = {column: opened["strata"][column][:] for column in ("layer", "bit", "population")}
        stratum, drop = opened["faults/stratum"][:], opened["outcomes/drop"][:]
    critical = drop > tolerance + 1e-9
    found, share = {}, 0
    for k, (layer, bit, population) in enumerate(zip(*strata.values())):
        faults, hits = int((stratum == k).sum()), int(critical[stratum == k].sum())
        found[names[layer], int(bit)] = (int(population), faults, hits)
        share += int(population) * hits / faults
    return found, share / int(strata["population"].sum())


def rounded(value):
    """The same with its numbers rounded: a sum hangs on the order of its terms."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return round(value, 12) if isinstance(value, float) else value


class Status(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.trained = cls.folder / "trained"
        cls.complete("train", cls.job, "--out", cls.trained)
        cls.options = set_keys(
            model__file=cls.trained / "model.h5", campaign__limit=12000, campaign__journal_seconds=0.1,
            device__threads=1,
        )

    def status(self, out, *options, code=COMPLETE, **more):
        result = self.run_flipstorm("status", out, *options, **more)
        self.assert_code(result, code)
        return result

    def look(self, out, *options, **more):
        return json.loads(self.status(out, "--json", *options, **more).out)

    def strata(self, seen):
        return {
            (each["layer"], each["bit"]): (each["population"], each["done"], each["critical"]["hits"])
            for each in seen["strata"]
        }

    def assert_like_the_file(self, out):
        """Strata, and the network at every tolerance, are what numpy finds in campaign.h5."""
        for tolerance in (0.01, 0.05):
            seen = self.look(out, "--tolerance", tolerance)
            strata, share = counts_by_numpy(out / "campaign.h5", tolerance)
            self.assertEqual(self.strata(seen), strata)
            network = {each["tolerance"]: each["critical"] for each in seen["network"]}[tolerance]
            self.assertAlmostEqual(network["share"], share, 12)
            self.assertLess(network["low"], share)
            self.assertGreater(network["high"], share)
            self.assertEqual(network["covered"], 1)
            self.assertTrue(any(hits for _, _, hits in strata.values()), "no critical fault was compared")
        return seen

    def test_before(self):
        missing = self.folder / "missing"
        self.assertIn(f"there is no out folder '{missing}'", self.status(missing, code=IO).err)
        self.assertFalse(missing.exists())
        empty = self.folder / "empty"
        empty.mkdir()
        self.assertIn("no campaign", self.status(empty).out)
        self.assertEqual(tree(empty), tree(empty))
        # Another stage has been here.
        seen = self.look(self.trained)
        self.assertEqual((seen["state"], seen["files"], seen["strata"]), ("no campaign", ["model.h5"], []))
        self.assertIn("OUT is required", self.run_flipstorm("status").err)

    def test_the_life_of_a_campaign(self):
        out = self.folder / "life"
        inject = ["inject", self.job, "--out", out, *self.options]

        # While it runs, and stopped: some chunks are saved. The file is looked for once a second.
        run = self.start(*inject, ranks=2)
        self.assertTrue(run.wait_for(lambda: segments(out)))
        (out / "STOP").touch()
        seen = self.look(out)
        self.assertIn(seen["state"], ("running", "stopped"))
        self.assertEqual((seen["ranks"], seen["starts"], seen["damaged"], seen["trouble"]), (2, 1, [], []))
        stopped = run.wait()
        self.assert_code(stopped, STOPPED)
        # Nothing is written, and it takes neither MPI, inside of a launcher's environment, nor write permission.
        before = tree(out)
        seen = self.look(out, environment={"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"})
        self.assertEqual(tree(out), before)
        self.assertEqual((seen["state"], seen["stop_file"], seen["seconds_left"]), ("stopped", True, None))
        self.assertIn("file STOP found", seen["reason"])
        left = seen["chunks_planned"] - seen["chunks_done"]
        self.assertGreater(left, 0)
        self.assertIn(f"{left} of {seen['chunks_planned']} chunks are left", stopped.err)
        self.assertEqual(seen["faults_planned"], 12000)
        self.assertEqual(seen["faults_done"], sum(done for _, done, _ in self.strata(seen).values()))
        self.assertGreater(seen["since_start"]["faults_per_second"], 0)
        text = self.status(out).out
        for part in (f"{out}: stopped by file STOP found", f"{seen['faults_done']}/12000 faults", "A file STOP is there",
                     "2 rank(s), cpu, 1 thread(s) each", "conv1", "Only of the strata that have a fault already"):
            self.assertIn(part, text)
        (out / "STOP").unlink()

        # Killed: nobody has said so, but what is saved counts, and a torn segment does not.
        run = self.start(*inject, ranks=2)
        saved = len(segments(out))
        self.assertTrue(run.wait_for(lambda: len(segments(out)) > saved))
        run.kill()
        run.wait()
        killed = self.look(out)
        self.assertEqual((killed["state"], killed["starts"]), ("running", 2))
        self.assertGreater(killed["chunks_done"], seen["chunks_done"])
        old = os.stat(out / "campaign.toml").st_mtime - 3600
        for file in [out / "campaign.toml", *out.glob("lock"), *segments(out)]:
            os.utime(file, (old, old))
        self.assertEqual(self.look(out)["state"], "no sign of life")
        torn = segments(out)[0]
        content = torn.read_bytes()
        torn.write_bytes(content[:-1])
        (out / "journal" / ".x-r00000-00000000.segment.tmp").write_bytes(content[:50])
        unfinished = len(list((out / "journal").glob(".*.tmp")))  # the kill may have left some, too
        damaged = self.look(out)
        self.assertEqual((len(damaged["damaged"]), damaged["unfinished"]), (1, unfinished))
        self.assertIn("is torn", damaged["damaged"][0])
        self.assertLess(damaged["chunks_done"], killed["chunks_done"])
        self.assertIn("1 damaged", self.status(out).out)
        torn.write_bytes(content)
        (out / "last_error.txt").write_text("2026-01-01T00:00:00Z rank 1 on n7: disk full\n")
        (out / "lock").write_text("n7 pid 4711\n")
        self.assertEqual(self.look(out)["state"], "failed")
        text = self.status(out).out
        self.assertIn("last error: 2026-01-01T00:00:00Z rank 1 on n7: disk full", text)
        self.assertIn("n7 pid 4711", text)
        for name in ("last_error.txt", "lock"):
            (out / name).unlink()

        # Complete; and the journal alone tells the same.
        result = self.complete(*inject)
        self.assertIn(f"journal: {killed['chunks_done']} of {killed['chunks_planned']} chunks are done", result.err)
        complete = self.assert_like_the_file(out)
        self.assertEqual((complete["state"], complete["starts"]), ("complete", 3))
        (out / "campaign.h5").rename(self.folder / "aside.h5")
        journal = self.look(out, "--tolerance", 0.05)
        for key in ("strata", "network", "faults_done", "faults_planned", "chunks_done", "chunks_planned"):
            self.assertEqual(journal[key], complete[key], key)
        (self.folder / "aside.h5").rename(out / "campaign.h5")
        # So does the file alone.
        alone = self.folder / "alone"
        alone.mkdir()
        (out / "campaign.h5").rename(alone / "campaign.h5")
        self.assertEqual(self.look(alone, "--tolerance", 0.05)["strata"], complete["strata"])

        refused = self.status(out, "--tolerance", 0.02, code=USAGE).err
        self.assertIn("0.02 is none of the campaign's tolerances: 0.01, 0.05", refused)
        self.assertIn("--strata", self.status(out).out)
        by_stratum = self.status(out, "--strata").out
        self.assertEqual(sum(line.split()[:1] == ["fc3"] for line in by_stratum.splitlines()), 32)

        # A model that is gone, or another one, costs the details only.
        (self.trained / "model.h5").rename(self.folder / "gone.h5")
        try:
            seen = self.look(out)
        finally:
            (self.folder / "gone.h5").rename(self.trained / "model.h5")
        self.assertEqual((seen["strata"], seen["segments"]), ([], complete["segments"]))
        self.assertIn("model.h5", seen["trouble"][0])

    def test_screens_that_were_given_up_do_not_count(self):
        out = self.folder / "careless"
        keys = set_keys(campaign__kappa=0.001, campaign__tau=1e6, campaign__screen_bound=5e-4, campaign__limit=960)
        result = self.complete("inject", self.job, "--out", out, *self.options, *keys)
        self.assertIn("given up", result.err)
        complete = self.assert_like_the_file(out)
        (out / "campaign.h5").unlink()
        journal = self.look(out, "--tolerance", 0.05)
        self.assertGreater(journal["chunks_again"], 0)
        for key in ("strata", "network", "chunks_done", "chunks_planned"):
            self.assertEqual(journal[key], complete[key], key)

    def assert_struck_like_the_file(self, out):
        """The classes of inferences by layer and of the network are what numpy finds in campaign.h5."""
        seen = self.look(out)
        columns = pipeline.datasets(out / "campaign.h5")
        layer, images = columns["/faults/layer"], columns["/outcomes/evaluated"]
        masked, tolerable, mismatches, nonfinite = (
            columns[f"/outcomes/{name}"] for name in ("masked", "tolerable", "mismatches", "nonfinite"))
        classes = {"masked": masked, "tolerable_sdc": tolerable, "critical_sdc": mismatches - nonfinite,
                   "nonfinite": nonfinite, "avf": mismatches}
        population = columns["/strata/population"]
        names = [name.decode() for name in columns["/layers/name"]]
        rows = {row["layer"]: row for row in seen["transient"]}
        self.assertEqual(list(rows), [*names, "network"])
        self.assertEqual(sum(row["done"] for row in rows.values()), 2 * len(layer))
        for name, column in classes.items():
            share = 0
            for number, layer_name in enumerate(names):
                row, of_layer = rows[layer_name], layer == number
                mean = (column / images)[of_layer].mean()
                self.assertAlmostEqual(row[name]["share"], mean, 12)
                self.assertLessEqual(row[name]["low"], mean)
                self.assertGreaterEqual(row[name]["high"], mean)
                self.assertGreater(row[name]["high"], row[name]["low"])
                self.assertAlmostEqual(row["probability"], population[number] / population.sum(), 12)
                self.assertEqual((row["planned"], row["done"]), (of_layer.sum(), of_layer.sum()))
                share += row["probability"] * mean
            self.assertAlmostEqual(rows["network"][name]["share"], share, 12)
        self.assertGreater(rows["network"]["critical_sdc"]["share"], 0, "no critical inference was compared")
        self.assertEqual((seen["network"], sum(each["population"] for each in seen["strata"])), ([], population.sum()))
        return seen

    def assert_journal_alone_tells_the_same(self, out, complete):
        aside = self.folder / "aside.h5"
        (out / "campaign.h5").rename(aside)
        journal = self.look(out)
        aside.rename(out / "campaign.h5")
        for key in ("strata", "network", "transient", "faults_done", "faults_planned", "chunks_done", "chunks_planned"):
            self.assertEqual(rounded(journal[key]), rounded(complete[key]), key)

    def test_the_life_of_a_transient_campaign(self):
        out = self.folder / "maps"
        keys = set_keys(campaign__target="feature_maps", campaign__scheme="layer_wise", campaign__limit=80000,
                        campaign__journal_seconds=0.05, transient__images_per_fault=5, transient__magnitude=5)
        inject = ["inject", self.job, "--out", out, *self.options, *keys]

        # While it runs, and stopped by the file STOP, which is looked for once a second.
        run = self.start(*inject, ranks=2)
        self.assertTrue(run.wait_for(lambda: segments(out)), run.err)
        (out / "STOP").touch()
        seen = self.look(out)
        self.assertIn(seen["state"], ("running", "stopped"))
        self.assertEqual((seen["target"], seen["trouble"], seen["damaged"]), ("feature_maps", [], []))
        stopped = run.wait()
        self.assert_code(stopped, STOPPED)
        seen = self.look(out)
        self.assertEqual((seen["state"], seen["trouble"], seen["faults_planned"]), ("stopped", [], 80000))
        left = seen["chunks_planned"] - seen["chunks_done"]
        self.assertIn(f"{left} of {seen['chunks_planned']} chunks are left", stopped.err)
        self.assertEqual(seen["faults_done"], sum(each["done"] for each in seen["strata"]))
        self.assertEqual(seen["faults_done"], seen["transient"][-1]["done"])
        self.assertGreater(seen["since_start"]["faults_per_second"], 0)
        text = self.status(out).out
        for part in (f"{out}: stopped by file STOP found", f"{seen['faults_done']}/80000 faults", "so far",
                     "masked %", "tolerable SDC %", "critical SDC %", "non-finite %", "95 % interval"):
            self.assertIn(part, text)
        (out / "STOP").unlink()

        # Killed: what is saved counts, and there is an end in sight.
        run = self.start(*inject, ranks=2)
        saved = len(segments(out))
        self.assertTrue(run.wait_for(lambda: len(segments(out)) > saved), run.err)
        run.kill()
        run.wait()
        killed = self.look(out)
        self.assertEqual((killed["state"], killed["trouble"]), ("running", []))
        self.assertGreater(killed["faults_done"], seen["faults_done"])
        self.assertGreater(killed["seconds_left"], 0)
        self.assertIn(" left", self.status(out).out)

        # Complete; the journal alone tells the same, and so does the file alone.
        result = self.complete(*inject)
        self.assertIn(f"journal: {killed['chunks_done']} of {killed['chunks_planned']} chunks are done", result.err)
        complete = self.assert_struck_like_the_file(out)
        self.assertEqual((complete["state"], complete["trouble"], complete["faults_done"]), ("complete", [], 80000))
        self.assertNotIn("so far", self.status(out).out)
        self.assert_journal_alone_tells_the_same(out, complete)
        alone = self.folder / "maps-alone"
        alone.mkdir()
        (out / "campaign.h5").rename(alone / "campaign.h5")
        self.assertEqual(rounded(self.look(alone)["transient"]), rounded(complete["transient"]))

    def test_instructions(self):
        out = self.folder / "instructions"
        keys = set_keys(campaign__target="instructions", campaign__scheme="layer_wise", campaign__limit=600)
        self.complete("inject", self.job, "--out", out, *self.options, *keys)
        self.assert_journal_alone_tells_the_same(out, self.assert_struck_like_the_file(out))
        self.assertIn("Inferences under faults in instructions\n", self.status(out).out)

    def test_populations_of_other_fault_models_and_of_some_layers(self):
        """What campaign.h5 alone tells of its strata is what the plan and the journal tell."""
        for model in ("stuck_at", "adjacent_bits"):
            out = self.folder / model
            keys = set_keys(campaign__fault_model=model, campaign__upset_bits=3, campaign__layers="[conv2,fc3]",
                            campaign__scheme="network_wise", campaign__limit=200)
            self.complete("inject", self.job, "--out", out, *self.options, *keys)
            complete = self.look(out)
            faults = {"stuck_at": 64, "adjacent_bits": 30}[model]
            self.assertEqual([each["population"] for each in complete["strata"]], [faults * (2400 + 840)])
            (out / "campaign.h5").unlink()
            journal = self.look(out)
            for key in ("strata", "network", "faults_done", "faults_planned"):
                self.assertEqual(journal[key], complete[key], key)

    def test_any_user_who_can_read(self):
        if os.geteuid() != 0:
            self.skipTest("only root can be somebody else")
        out = self.folder / "public"
        keys = set_keys(campaign__limit=480)
        self.complete("inject", self.job, "--out", out, *self.options, *keys)
        (out / "campaign.h5").unlink()
        expected = self.look(out)
        self.folder.chmod(0o755)
        somebody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        command = [self.flipstorm, "status", out, "--json"]
        try:
            subprocess.run([self.flipstorm, "--version"], check=True, capture_output=True, **somebody)
        except (OSError, subprocess.CalledProcessError) as error:
            self.skipTest(f"the program is out of reach of others: {error}")
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, **somebody)
        seen = json.loads(done.stdout)
        self.assertEqual(seen["trouble"], [])
        self.assertEqual(seen["strata"], expected["strata"])
        self.assertGreater(np.sum([each["done"] for each in seen["strata"]]), 0)


if __name__ == "__main__":
    pipeline.main()
