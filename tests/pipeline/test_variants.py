#!/usr/bin/env python3
"""A job with variants: every variant as if it were run alone, and one comparison of all."""

import re

import h5py
import numpy as np
import pipeline
from pipeline import STOPPED, USAGE, PipelineTest, digests

VARIANTS = """
[[variant]]
name = "baseline"

[[variant]]
name = "relu6"
model.activation = "relu6"
train.epochs = 2
"""
FILES = ("model.h5", "campaign.h5", "forest.h5", "protection.h5", "report.html")


class Variants(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.job.write_text(pipeline.SYNTHETIC_JOB + VARIANTS)
        cls.plain = cls.folder / "plain.toml"
        cls.plain.write_text(pipeline.SYNTHETIC_JOB)
        cls.out = cls.folder / "out"
        cls.first = cls.complete("run", cls.job, "--out", cls.out)

    def test_every_variant_has_its_folder(self):
        for name in ("baseline", "relu6"):
            for file in FILES:
                self.assertTrue((self.out / name / file).is_file(), f"{name}/{file}")
        for file in ("comparison.h5", "report.html", "figures/weights.png", "figures/protection.png"):
            self.assertTrue((self.out / file).is_file(), file)
        self.assertFalse((self.out / "figures" / "regret.png").exists(), "weight faults have no regret")

    def test_the_comparison_says_what_the_files_say(self):
        with h5py.File(self.out / "comparison.h5") as file:
            rows = {name.decode(): row for row, name in enumerate(file["/variants/name"][:])}
            self.assertEqual(list(rows), ["baseline", "relu6"])
            changes = file["/variants/changes"][rows["relu6"]].decode()
            self.assertEqual(changes, 'model.activation = "relu6"; train.epochs = 2')
            edges, counts = file["/weights/edges"][:], file["/weights/counts"][:]
            for name, row in rows.items():
                with h5py.File(self.out / name / "model.h5") as model:
                    layers = [item[...].ravel() for key, item in model["/parameters"].items() if key.endswith("weight")]
                    accuracy = model.attrs["test_accuracy"]
                weights = np.concatenate(layers).astype(np.float64)
                self.assertEqual(file["/variants/weights"][row], weights.size)
                self.assertAlmostEqual(file["/variants/mean_weight"][row], weights.mean(), places=12)
                self.assertAlmostEqual(file["/variants/mean_magnitude"][row], np.abs(weights).mean(), places=12)
                self.assertEqual(file["/variants/test_accuracy"][row], accuracy)
                inside = np.clip(weights, edges[0], edges[-1])
                expected = np.histogram(inside, edges)[0]
                # A weight on the edge of two bins may be rounded into either.
                self.assertLessEqual(np.abs(counts[row] - expected.astype(np.int64)).sum(), 4)
                with h5py.File(self.out / name / "campaign.h5") as campaign:
                    self.assertEqual(file["/variants/faults"][row], campaign["/faults/bit"].size)
                    images, correct = campaign.attrs["images"], campaign.attrs["golden_correct"]
                    self.assertAlmostEqual(file["/variants/clean_accuracy"][row], correct / images, places=12)
                with h5py.File(self.out / name / "protection.h5") as protection:
                    chosen = protection["/options/total_overhead"][protection.attrs["chosen"]]
                    self.assertEqual(file["/variants/protection_overhead"][row], chosen)
                low, value, high = (file[f"/variants/critical_bits{end}"][row] for end in ("_low", "", "_high"))
                self.assertTrue(0 < low < value < high < 1, (low, value, high))
                self.assertTrue(0 < file["/variants/seconds_per_image"][row] < 1)
            self.assertTrue(np.isnan(file["/variants/regret"][:]).all())

    def test_the_papers_tables(self):
        """Raw and reweighted shares, forests and overheads of all variants, as the files of each say."""
        with h5py.File(self.out / "comparison.h5") as file:
            names = [name.decode() for name in file["/variants/name"][:]]
            shares = {key: column[:] for key, column in file["/tolerances"].items()}
            forests = {key: column[:] for key, column in file["/forests"].items()}
            overheads = {key: column[:] for key, column in file["/overheads"].items()}
        self.assertEqual(overheads["variant"].tolist(), [0, 1])
        for row, name in enumerate(names):
            mine = shares["variant"] == row
            with h5py.File(self.out / name / "campaign.h5") as campaign:
                drop, tolerances = campaign["/outcomes/drop"][:], campaign.attrs["tolerances"]
            self.assertEqual(shares["tolerance"][mine].tolist(), tolerances.tolist())
            critical = np.array([(drop >= tolerance - 1e-9).sum() for tolerance in tolerances])
            self.assertEqual(shares["critical"][mine].tolist(), critical.tolist())
            np.testing.assert_allclose(shares["injected"][mine], critical / drop.size, rtol=1e-12)
            self.assertTrue((shares["injected_low"][mine] <= shares["injected"][mine]).all())
            self.assertTrue((shares["all_high"][mine] >= shares["all"][mine]).all())
            with h5py.File(self.out / name / "forest.h5") as forest:
                auc = forest["/scores/auc_test"][:]
            np.testing.assert_array_equal(forests["auc_test"][forests["variant"] == row], auc)
            with h5py.File(self.out / name / "protection.h5") as protection:
                self.assertEqual(overheads["gain"][row], protection["/overhead"].attrs["gain"])
        for title in ("Table I: critical faults, %, on synthetic; fault-free accuracy baseline", "Table II: forests",
                      "Table III: memory overhead"):
            self.assertIn(title, self.first.out)
            self.assertIn(title, (self.out / "report.html").read_text())

    def test_a_variant_learns_from_another_ones_faults(self):
        """What it takes from the job's folder is found where --out puts that."""
        job = self.folder / "shared.toml"
        job.write_text(pipeline.SYNTHETIC_JOB + """
[[variant]]
name = "brf"

[[variant]]
name = "rf"
model.file = "out/brf/model.h5"
forest.kind = "rf"
forest.campaign = "out/brf/campaign.h5"
""")
        out = self.folder / "shared"
        done = self.complete("run", job, "--out", out, "--set", 'job.out="out"')
        self.assertIn(f"forest.campaign names {out}/brf/campaign.h5", done.err)
        with h5py.File(out / "comparison.h5") as file:
            self.assertEqual(set(file["/tolerances/variant"][:]), {0}, "one campaign is shown once")
            self.assertEqual([kind.decode() for kind in file["/overheads/kind"][:]], ["brf", "rf"])

    def test_the_table_is_printed(self):
        for text in ("The variants compared", "Against baseline", "critical bits %", "memory overhead %", "ms/image"):
            self.assertIn(text, self.first.out)
        self.assertRegex(self.first.out, r"\n  relu6 .* optimized ")

    def test_a_variant_is_a_job_of_its_own(self):
        """Alone it finds its files; and it is the same job as one without variants."""
        alone = self.complete("run", self.job, "--out", self.out, "--variant", "relu6")
        for file in FILES[:-1]:
            self.assertIn(f"relu6/{file} is there and up to date", alone.err)
        self.assertNotIn("baseline", alone.out + alone.err)
        out = self.folder / "plain"
        self.complete("run", self.plain, "--out", out, "--set", "model.activation=relu6", "--set", "train.epochs=2")
        self.assert_same_datasets(out / "campaign.h5", self.out / "relu6" / "campaign.h5")

    def test_the_second_run_computes_nothing(self):
        before = digests(self.out)
        second = self.complete("run", self.job, "--out", self.out)
        self.assertEqual(digests(self.out), before)
        self.assertEqual(second.err.count("campaign.h5 is there and up to date"), 2)
        self.assertIn("comparison.h5 is there and up to date", second.err)
        table = self.first.out[self.first.out.index("The variants compared"):]
        self.assertTrue(second.out.endswith(table), "the table is another")

    def test_it_stops_and_goes_on(self):
        out = self.folder / "stopped"
        out.mkdir()
        (out / "STOP").touch()
        result = self.run_flipstorm("run", self.job, "--out", out)
        self.assert_code(result, STOPPED)
        self.assertFalse((out / "comparison.h5").exists())
        (out / "STOP").unlink()
        trained = self.complete("train", self.job, "--out", out)  # two ranks would round in another order
        self.assertIn("variant 2 of 2: relu6", trained.err)
        self.assertTrue((out / "relu6" / "model.h5").exists())
        self.assertFalse((out / "comparison.h5").exists())
        self.complete("run", self.job, "--out", out, ranks=2)
        for name in ("baseline", "relu6"):
            self.assert_same_datasets(out / name / "campaign.h5", self.out / name / "campaign.h5")

    def test_printed_config_is_the_same_job(self):
        printed = self.complete("run", self.job, "--out", self.out, "--print-config").out
        again = self.folder / "again.toml"
        again.write_text(printed)
        self.assertEqual(self.complete("run", again, "--print-config").out, printed)
        self.assertEqual(re.findall(r'^out = "(.*)"$', printed, re.MULTILINE), [str(self.out)])
        result = self.complete("inject", again)
        self.assertEqual(result.err.count("campaign.h5 is there and up to date"), 2)
        one = self.complete("run", self.job, "--out", self.out, "--variant", "relu6", "--print-config").out
        self.assertIn(f'out = "{self.out}/relu6"', one)
        self.assertNotIn("[[variant]]", one)

    def test_plans_are_those_of_all(self):
        out = self.folder / "dry"
        printed = self.complete("run", self.job, "--out", out, "--dry-run").out
        without_cost = lambda text: re.sub(r"Cost, from.*?(?=^Variant |\Z)", "", text, flags=re.DOTALL | re.MULTILINE)
        self.assertEqual(without_cost(self.complete("plan", self.job, "--out", out).out), without_cost(printed))
        self.assertEqual(printed.count("Cost, from"), 2)
        self.assertIn(f"Variant relu6, in {out}/relu6", printed)
        self.assertFalse(out.exists())

    def test_what_needs_one_variant_says_so(self):
        for command in (("bench", self.job), ("import", "model.pt", self.job, "--to", "model.h5")):
            result = self.run_flipstorm(*command)
            self.assert_code(result, USAGE)
            self.assertIn(f"the job has 2 variants; name the one to {command[0]} with --variant", result.err)
        result = self.run_flipstorm("run", self.job, "--variant", "relu7")
        self.assert_code(result, USAGE)
        self.assertIn("--variant relu7: unknown variant; did you mean 'relu6'?", result.err)
        result = self.run_flipstorm("run", self.plain, "--variant", "relu6")
        self.assert_code(result, USAGE)
        self.assertIn("the job has no variants", result.err)

    def test_regret_under_faults_in_feature_maps(self):
        """Every fault weighs the same in a network-wise sample: figures are plain means over the rows of the file."""
        job = self.folder / "maps.toml"
        job.write_text((pipeline.SYNTHETIC_JOB + VARIANTS).replace('"data_unaware"', '"network_wise"'))
        out = self.folder / "maps"
        printed = self.complete("run", job, "--out", out, "--set", "campaign.target=feature_maps").out
        for column in ("noisy %", "regret", "critical SDC %", "single %", "line %", "block %"):
            self.assertIn(column, printed)
        self.assertTrue((out / "figures" / "regret.png").is_file())
        self.assertFalse((out / "figures" / "protection.png").exists(), "there is no protection")
        with h5py.File(out / "comparison.h5") as file:
            models = list(zip(file["/fault_models/variant"][:], file["/fault_models/name"][:]))
            self.assertEqual(len(models), 6)
            for row, name in enumerate(("baseline", "relu6")):
                with h5py.File(out / name / "campaign.h5") as campaign:
                    drop = campaign["/outcomes/drop"][:]
                    critical = campaign["/outcomes/mismatches"][:] / campaign["/outcomes/evaluated"][:]
                    geometry = campaign["/faults/geometry"]
                    names = dict(zip(geometry.attrs["flag_values"], geometry.attrs["flag_meanings"].decode().split()))
                    kinds = geometry[:]
                    clean = campaign.attrs["golden_correct"] / campaign.attrs["images"]
                self.assertAlmostEqual(file["/variants/regret"][row], drop.mean(), places=12)
                self.assertAlmostEqual(file["/variants/noisy_accuracy"][row], clean - drop.mean(), places=12)
                self.assertAlmostEqual(file["/variants/critical_sdc"][row], critical.mean(), places=12)
                half = 1.96 * drop.std() / np.sqrt(drop.size)
                width = file["/variants/regret_high"][row] - file["/variants/regret_low"][row]
                self.assertAlmostEqual(width / (2 * half), 1, delta=0.02)
                for kind in np.unique(kinds):
                    at = models.index((row, names[kind].encode()))
                    self.assertEqual(file["/fault_models/faults"][at], (kinds == kind).sum())
                    for column, values in (("regret", drop), ("critical_sdc", critical)):
                        mean = values[kinds == kind].mean()
                        self.assertAlmostEqual(file[f"/fault_models/{column}"][at], mean, places=12)


if __name__ == "__main__":
    pipeline.main()
