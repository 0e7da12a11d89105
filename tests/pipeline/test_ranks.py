#!/usr/bin/env python3
"""The outcomes of a campaign depend neither on the number of ranks nor on that of threads; errors are said once."""

import os
import shutil

import h5py
import pipeline
from pipeline import IO, USAGE, PipelineTest, set_keys


class Ranks(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.out = cls.folder / "one"
        cls.complete("train", cls.job, "--out", cls.out)
        cls.model = set_keys(model__file=cls.out / "model.h5")
        cls.complete("inject", cls.job, "--out", cls.out, *cls.model)

    def inject(self, name, threads=1, ranks=0):
        out = self.folder / name
        result = self.complete(
            "inject", self.job, "--out", out, *self.model, *set_keys(device__threads=threads), ranks=ranks
        )
        self.assertIn(f"{max(1, ranks)} rank(s), cpu, {threads} thread(s)", result.err)
        self.assert_same_datasets(out / "campaign.h5", self.out / "campaign.h5")
        with h5py.File(out / "campaign.h5", "r") as file, h5py.File(self.out / "campaign.h5", "r") as expected:
            for key in ("stage_sha256", "model_sha256", "dataset_sha256", "images", "golden_correct", "seed"):
                self.assertEqual(file.attrs[key], expected.attrs[key], key)
            self.assertEqual(list(file.attrs["tolerances"]), list(expected.attrs["tolerances"]))
            self.assertEqual(dict(file["screen"].attrs), dict(expected["screen"].attrs))

    def test_one_rank_under_a_launcher(self):
        self.inject("np1", ranks=1)

    def test_two_ranks(self):
        self.inject("np2", ranks=2)

    def test_four_ranks(self):
        self.inject("np4", ranks=4)

    def test_two_threads(self):
        self.inject("threads2", threads=2)

    def test_two_ranks_of_two_threads(self):
        self.inject("np2threads2", threads=2, ranks=2)

    def test_the_comparison_can_fail(self):
        other = self.folder / "other.h5"
        for path in ("/faults/value_after", "/outcomes/drop", "/golden/margin"):
            shutil.copyfile(self.out / "campaign.h5", other)
            with h5py.File(other, "r+") as file:
                file[path][-1] += 0.25
            with self.assertRaisesRegex(AssertionError, path):
                self.assert_same_datasets(other, self.out / "campaign.h5")

    def test_outcomes_of_all_kinds_were_compared(self):
        columns = pipeline.datasets(self.out / "campaign.h5")
        self.assertTrue((columns["/outcomes/stopped"] == 1).any())
        self.assertTrue((columns["/outcomes/stopped"] == 0).any())
        self.assertTrue((columns["/outcomes/nonfinite"] > 0).any())
        self.assertTrue(((columns["/outcomes/drop"] != 0) & (columns["/outcomes/stopped"] == 0)).any())


class Binding(PipelineTest):
    """Threads of a rank come from the cores that the launcher binds it to."""

    def test_threads_follow_the_binding(self):
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest("needs two cores")
        out = self.folder / "out"
        self.complete("train", self.job, "--out", out)
        for ranks, binding, mapping, threads in (
            (1, "core", "slot:PE=2", 2), (1, "core", "slot", 1), (2, "core", "slot", 1), (2, "none", "slot", None)
        ):
            with self.subTest(ranks=ranks, binding=binding, mapping=mapping):
                result = self.complete(
                    "inject", self.job, "--out", self.folder / f"{ranks}{binding}{mapping}", "--fresh",
                    *set_keys(model__file=out / "model.h5", campaign__limit=160), ranks=ranks,
                    environment={
                        "OMP_NUM_THREADS": "", "OMPI_MCA_hwloc_base_binding_policy": binding,
                        "OMPI_MCA_rmaps_base_mapping_policy": mapping,
                    },
                )
                if "does not support" in result.err or "unable to bind" in result.err:
                    self.skipTest(f"no binding to cores here\n{result.err}")
                threads = threads or max(1, len(os.sched_getaffinity(0)) // ranks)
                self.assertIn(f"{ranks} rank(s), cpu, {threads} thread(s) each", result.err)


class ErrorsOnRanks(PipelineTest):
    """Errors under a launcher: one message, the right code, nobody left."""

    def test_bad_job_file(self):
        self.job.write_text("[job]\nnaem = 'x'\n[data]\nkind = 'synthetic'\n")
        result = self.run_flipstorm("run", self.job, "--out", self.folder / "out", ranks=2)
        self.assert_code(result, USAGE)
        self.assertEqual(result.err.count("did you mean 'job.name'?"), 1, str(result))

    def test_bad_command_line(self):
        for arguments in (["explode"], ["bench", self.job], ["inject", self.job, "--frobnicate"]):
            result = self.run_flipstorm(*arguments, ranks=2)
            self.assert_code(result, USAGE)
            self.assertEqual(result.err.count("flipstorm: ") + result.err.count("flipstorm (rank"), 1, str(result))

    def test_model_missing(self):
        self.job.write_text(pipeline.SYNTHETIC_JOB)
        result = self.run_flipstorm("inject", self.job, "--out", self.folder / "empty", ranks=2)
        self.assert_code(result, IO)
        self.assertEqual(result.err.count("No such file"), 1, str(result))


if __name__ == "__main__":
    pipeline.main()
