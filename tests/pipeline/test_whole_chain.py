#!/usr/bin/env python3
"""`flipstorm run` from nothing to the report; the second run finds everything there."""

import h5py
import pipeline
from pipeline import PipelineTest, digests

FILES = ("model.h5", "campaign.h5", "forest.h5", "protection.h5")


class WholeChain(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.out = cls.folder / "out"
        cls.first = cls.complete("run", cls.job, "--out", cls.out)

    def test_files_are_there(self):
        for name in (*FILES, "report.html"):
            self.assertTrue((self.out / name).is_file(), name)
        self.assertEqual([str(p) for p in self.out.rglob("*.tmp")], [])

    def test_tables_are_printed(self):
        for text in ("Table I:", "Table II:", "Table III:", "480 faults on 600 test images", str(self.out / "report.html")):
            self.assertIn(text, self.first.out)

    def test_nothing_is_lost_on_stderr(self):
        for text in ("HDF5-DIAG", "Traceback", "terminate called"):
            self.assertNotIn(text, self.first.err)

    def test_second_run_skips_every_stage(self):
        before = digests(self.out)
        times = {name: (self.out / name).stat().st_mtime_ns for name in FILES}
        second = self.complete("run", self.job, "--out", self.out)
        after = digests(self.out)
        for name in FILES:
            self.assertEqual(after[name], before[name], name)
            self.assertEqual((self.out / name).stat().st_mtime_ns, times[name], f"{name} was written again")
            self.assertIn(f"{name} is there and up to date", second.err)
        self.assertEqual(second.out, self.first.out)

    def test_every_column_says_its_units_and_meaning(self):
        for name in FILES:
            with h5py.File(self.out / name, "r") as file:
                for key in ("filetype", "version", "software_version", "git_sha1", "date", "command_line", "job",
                            "job_sha256", "stage_sha256", "model_sha256", "dataset_sha256", "seed", "libraries"):
                    self.assertIn(key, file.attrs, name)
                self.assertEqual(file.attrs["filetype"].decode(), "flipstorm/" + name[:-3])
                columns = []
                file.visititems(lambda path, item: columns.append(item) if isinstance(item, h5py.Dataset) else None)
                self.assertGreater(len(columns), 5)
                for column in columns:
                    for key in ("units", "description"):
                        self.assertTrue(column.attrs.get(key), f"{name}:{column.name} has no {key}")
                    if "flag_values" in column.attrs:
                        meanings = column.attrs["flag_meanings"]
                        self.assertTrue(meanings, f"{name}:{column.name}")
                    column[()]

    def test_inspect_names_every_dataset(self):
        for name in FILES:
            listing = self.complete("inspect", self.out / name).out
            for path in pipeline.datasets(self.out / name):
                self.assertIn(path, listing, name)

    def test_printed_config_is_the_same_job(self):
        printed = self.complete("run", self.job, "--out", self.out, "--print-config").out
        again = self.folder / "again.toml"
        again.write_text(printed)
        self.assertEqual(self.complete("run", again, "--print-config").out, printed)
        self.assertIn("campaign.h5 is there and up to date", self.complete("inject", again).err)

    def test_dry_run_leaves_nothing(self):
        out = self.folder / "dry"
        printed = self.complete("run", self.job, "--out", out, "--dry-run").out
        self.assertIn("conv1", printed)
        self.assertIn("480", printed)
        self.assertFalse(out.exists())
        # Up to the cost, which is measured.
        plan = self.complete("plan", self.job, "--out", out).out
        self.assertEqual(plan.split("Cost, ")[0], printed.split("Cost, ")[0])

    def test_fresh_gives_the_same_again(self):
        out = self.folder / "fresh"
        pipeline.copy_folder(self.out, out)
        before = pipeline.datasets(out / "campaign.h5")
        result = self.complete("run", self.job, "--out", out, "--fresh")
        self.assertNotIn("up to date", result.err)
        self.assertNotIn("journal:", result.err)
        for path, value in pipeline.datasets(out / "campaign.h5").items():
            self.assertTrue(value.tobytes() == before[path].tobytes(), path)
        self.assertEqual(result.out.replace(str(out), ""), self.first.out.replace(str(self.out), ""))


if __name__ == "__main__":
    pipeline.main()
