#!/usr/bin/env python3
"""Where there is no LibTorch, flipstorm-analysis is built, and finds in a campaign what flipstorm finds.

    test_without_torch.py CMAKE SOURCE_DIR BUILD_DIR FLIPSTORM MPIEXEC NUMPROC_FLAG
"""

import json
import pathlib
import re
import subprocess
import sys

import h5py
import pipeline
from pipeline import PipelineTest, copy_folder, datasets, set_keys

CMAKE, SOURCE, BUILD = sys.argv[1:4]
del sys.argv[1:4]
VARIANTS = """
[[variant]]
name = "flips"

[[variant]]
name = "stuck"
campaign.fault_model = "stuck_at"
"""


class Analysis(PipelineTest):
    """Runs flipstorm-analysis."""


class WithoutTorch(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        Analysis.folder = cls.folder
        Analysis.flipstorm = str(pathlib.Path(BUILD) / "jobs" / "flipstorm-analysis")
        options = ["-DFLIPSTORM_TORCH=OFF", "-DCMAKE_DISABLE_FIND_PACKAGE_Torch=ON", "-DFLIPSTORM_TESTS=OFF",
                   "-DFLIPSTORM_WERROR=ON", "-DCMAKE_BUILD_TYPE=Release",
                   # Which files are made does not depend on it, and the test ends sooner.
                   "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG"]
        cls.configured = cls.cmake("-S", SOURCE, "-B", BUILD, *options)
        cls.cmake("--build", BUILD, "--target", "flipstorm-analysis")
        cls.trained = cls.folder / "trained"
        cls.complete("train", cls.job, "--out", cls.trained)
        cls.model = set_keys(model__file=cls.trained / "model.h5")

    @classmethod
    def cmake(cls, *arguments):
        done = subprocess.run([CMAKE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise AssertionError(f"cmake {' '.join(arguments)}\nexit code {done.returncode}\n{done.stdout}")
        return done.stdout

    def assert_same_text(self, *arguments, out, other, code=0):
        """Both programs print the same, each of its own folder."""
        expected, found = self.run_flipstorm(*arguments, out), Analysis.run_flipstorm(*arguments, other)
        self.assert_code(expected, code)
        self.assert_code(found, code)
        self.assertEqual(found.out.replace(str(other), str(out)), expected.out)

    def assert_same_columns(self, file, expected_file):
        found, expected = datasets(file), datasets(expected_file)
        self.assertEqual(sorted(found), sorted(expected))
        for path, value in expected.items():
            self.assertEqual((found[path].dtype, found[path].shape), (value.dtype, value.shape), path)
            self.assertTrue(found[path].tobytes() == value.tobytes(), f"{path} of {file}")

    def assert_same_page(self, out, other):
        """But for the dates of the files."""
        expected, found = ((folder / "report.html").read_text() for folder in (out, other))
        date = re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z")
        self.assertEqual(date.sub("DATE", found), date.sub("DATE", expected))

    def assert_same_status(self, out):
        seen = [json.loads(program.complete("status", out, "--json").out) for program in (self, Analysis)]
        for each in seen:
            self.assertEqual(each["trouble"], [])
            for key in ("time", "last_segment_age", "recent", "since_start", "seconds_left"):  # hang on the clock
                each.pop(key)
        self.assertEqual(seen[0], seen[1])
        return seen[1]

    def test_nothing_of_libtorch(self):
        self.assertEqual(pipeline.torch_libraries(Analysis.flipstorm), [])
        self.assertEqual(pipeline.torch_libraries(pathlib.Path(self.flipstorm).with_name("flipstorm-analysis")), [])
        self.assertNotEqual(pipeline.torch_libraries(self.flipstorm), [])
        self.assertNotIn("LibTorch", self.configured)
        includes = [file for file in pathlib.Path(BUILD).rglob("*.d") if "/torch/" in file.read_text()]
        self.assertEqual(includes, [])

    def test_a_campaign_in_weights(self):
        out = self.folder / "weights"
        self.complete("inject", self.job, "--out", out, *self.model)
        other = copy_folder(out, self.folder / "weights-other")
        for stage in ("forest", "harden", "report"):
            self.assert_same_text(stage, self.job, *self.model, "--out", out=out, other=other)
        for name in ("forest.h5", "protection.h5"):
            self.assert_same_columns(other / name, out / name)
            with h5py.File(other / name) as file:
                self.assertNotIn(b"LibTorch", file.attrs["libraries"])
        self.assert_same_page(out, other)
        self.assertEqual(pipeline.digests(other / "figures"), pipeline.digests(out / "figures"))
        for name in ("campaign.h5", "forest.h5", "protection.h5"):
            self.assert_same_text("inspect", out=out / name, other=out / name)
        self.assertEqual(self.assert_same_status(other)["state"], "complete")
        # What one has made is up to date for the other.
        for program, stage, folder in ((self, "forest", other), (Analysis, "harden", out)):
            result = program.complete(stage, self.job, *self.model, "--out", folder)
            self.assertIn("is there and up to date", result.err)

    def test_status_counts_the_journal_of_every_target(self):
        for target in ("weights", "feature_maps", "instructions"):
            with self.subTest(target):
                out = self.folder / f"status-{target}"
                keys = set_keys(campaign__target=target, campaign__scheme="layer_wise", campaign__limit=200)
                self.complete("inject", self.job, "--out", out, *self.model, *keys)
                if target != "weights":
                    other = copy_folder(out, out.with_name(out.name + "-other"))
                    self.assert_same_text("report", self.job, *self.model, *keys, "--out", out=out, other=other)
                    self.assert_same_page(out, other)
                (out / "campaign.h5").unlink()
                seen = self.assert_same_status(out)
                self.assertEqual((seen["state"], seen["target"], seen["faults_done"]), ("stopped", target, 200))
                self.assertEqual(seen["chunks_done"], seen["chunks_planned"])

    def test_variants_are_compared_but_not_timed(self):
        job = self.folder / "variants.toml"
        job.write_text(pipeline.SYNTHETIC_JOB + VARIANTS)
        out = self.folder / "variants"
        self.complete("inject", job, *self.model, "--out", out)
        for stage in ("forest", "harden", "report"):
            result = Analysis.complete(stage, job, *self.model, "--out", out)
        self.assertIn("The variants compared", result.out)
        self.assertNotIn("ms/image", result.out)
        again = Analysis.complete("report", job, *self.model, "--out", out)
        self.assertIn("comparison.h5 is there and up to date", again.err)
        self.assertEqual(again.out, result.out)
        untimed = datasets(out / "comparison.h5")
        self.assertIn("ms/image", self.complete("report", job, *self.model, "--out", out).out)
        timed = datasets(out / "comparison.h5")
        self.assertTrue((timed.pop("/variants/seconds_per_image") > 0).all())
        untimed.pop("/variants/seconds_per_image")
        for path, value in timed.items():
            self.assertTrue(untimed[path].tobytes() == value.tobytes(), path)
        last = Analysis.complete("report", job, *self.model, "--out", out)
        self.assertIn("comparison.h5 is there and up to date", last.err)
        self.assertIn("ms/image", last.out)
        # --fresh discards it, whatever it is.
        (out / "comparison.h5").write_bytes(b"damaged")
        fresh = Analysis.complete("report", job, *self.model, "--out", out, "--fresh")
        self.assertNotIn("ms/image", fresh.out)
        self.assertIn("ms/image", self.complete("report", job, *self.model, "--out", out).out)


if __name__ == "__main__":
    pipeline.main()
