#!/usr/bin/env python3
"""`plan`: a calibration on a small job, its costs, the simulated queue, and file sizes held against real files."""

import os
import re
import subprocess

import h5py
import pipeline
from pipeline import USAGE, PipelineTest, set_keys


def bytes_of(text):
    number, unit = re.fullmatch(r"([0-9.]+) (bytes|kB|MB|GB)", text).groups()
    return float(number) * {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]


def seconds_of(text):
    number, unit = re.fullmatch(r"([0-9.e+-]+) (s|min|h|d)", text).groups()
    return float(number) * {"s": 1, "min": 60, "h": 3600, "d": 86400}[unit]


class Plan(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.out = cls.folder / "out"
        # With a bound that any audit proves: no layer is computed twice.
        cls.keys = set_keys(campaign__limit=6000, campaign__scheme="layer_wise", campaign__screen_bound=0.1)
        cls.fresh = cls.plan("--calibrate", 1).out
        cls.complete("train", cls.job, "--out", cls.out)
        cls.before = pipeline.digests(cls.out)
        cls.result = cls.plan("--calibrate", 2, "--ranks", 4)
        cls.after = pipeline.digests(cls.out)

    @classmethod
    def plan(cls, *options):
        return cls.complete("plan", cls.job, "--out", cls.out, *cls.keys, *options)

    @classmethod
    def resident_mebibytes(cls, *arguments):
        """Run what has to succeed; the largest resident size of its process."""
        process = subprocess.Popen(
            [cls.flipstorm, *map(str, arguments)], env=cls.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        errors = process.stderr.read()
        process.stderr.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise AssertionError(errors.decode())
        return usage.ru_maxrss / 1024

    @staticmethod
    def table(text, title):
        """Rows of a table as lists of cells."""
        lines = text[text.index(title) :].splitlines()
        widths = [len(rule) for rule in lines[2].split()]
        rows = []
        for line in lines[3:]:
            cells, at, gaps = [], 2, line[:2]
            for width in widths:
                cells.append(line[at : at + width].strip())
                gaps += line[at + width : at + width + 2]
                at += width + 2
            if gaps.strip() or not all(cells):  # the note below
                break
            rows.append(cells)
        return rows

    def scaling(self, text):
        return {
            ranks: (seconds_of(time), float(efficiency), float(idle), seconds_of(wait))
            for ranks, time, efficiency, idle, wait in self.table(text, "Time by the number of ranks")
        }

    def test_costs_are_measured_on_the_plans_faults(self):
        faults, images, all_images = re.search(
            r"Cost, from ([0-9,]+) faults of the plan on ([0-9,]+) of ([0-9,]+) test images", self.result.out
        ).groups()
        self.assertGreaterEqual(int(faults.replace(",", "")), 5 * 7)
        self.assertLessEqual(int(images), 600)
        self.assertEqual(all_images, "600")
        self.assertNotIn("not trained yet", self.result.out)
        rows = self.table(self.result.out, "Cost by layer")
        self.assertEqual([row[0] for row in rows], ["conv1", "conv2", "fc1", "fc2", "fc3"])
        self.assertEqual(sum(int(row[1].replace(",", "")) for row in rows), 6000)
        for row in rows:
            for cell in row[4:]:
                self.assertGreater(seconds_of(cell), 0, row)

    def test_the_parts_add_up(self):
        """One rank takes what the layers take, and start, saving and writing."""
        rows = self.table(self.result.out, "Cost by layer")
        layers = sum(seconds_of(row[-1]) for row in rows)
        one = seconds_of(re.search(r"One rank: ([^,]+),", self.result.out).group(1))
        chunks = sum(int(row[2]) for row in rows)
        start = seconds_of(re.search(r"; ([^;]+) until the first chunk", self.result.out).group(1))
        # Passes may be kept, and numbers are rounded.
        self.assertLess(one, 1.05 * (layers + start + 0.02 * chunks + 0.1))
        self.assertGreater(one, 0.3 * layers)

    def test_more_ranks_are_faster_within_bounds(self):
        points = self.scaling(self.result.out)
        self.assertEqual(list(points), ["1", "2", "4", "8", "16"])
        times = [point[0] for point in points.values()]
        for (ranks, point), slower in zip(points.items(), [times[0], *times]):
            self.assertLessEqual(point[0], 1.2 * slower)
            self.assertGreaterEqual(point[0] * int(ranks), 0.5 * times[0])
            self.assertAlmostEqual(point[1], 100 * times[0] / (point[0] * int(ranks)), delta=0.02 * point[1] + 0.1)
            self.assertLessEqual(point[2], 100)
            self.assertLessEqual(point[3], point[0])
        self.assertRegex(self.result.out, r"efficiency is 95 % or more up to about [0-9,]+ rank\(s\)")

    def test_mixed_ranks(self):
        points = self.scaling(self.plan("--calibrate", 0, "--ranks", "2,1x8").out)
        self.assertEqual(list(points), ["1", "2 + 1 x 8", "4 + 2 x 8", "8 + 4 x 8"])
        self.assertLess(points["2 + 1 x 8"][0], points["1"][0] / 2)
        self.assertGreater(points["2 + 1 x 8"][0] * 10 * 1.03, points["1"][0])

    def test_without_calibration_it_is_arithmetic(self):
        printed = self.plan("--calibrate", 0).out
        self.assertRegex(printed, r"multiply-accumulates at 6 % of the [0-9.]+ GFLOP/s")
        self.assertGreater(self.scaling(printed)["1"][0], 0)

    def test_a_model_that_is_not_there_yet(self):
        self.assertIn("The model is not trained yet", self.fresh)
        strata = self.result.out.split("Totals of all schemes")[0]
        self.assertEqual(self.fresh.split("Totals of all schemes")[0], strata)

    def test_nothing_is_left_behind(self):
        self.assertEqual(self.after, self.before)

    def test_sizes_and_memory(self):
        resident = self.resident_mebibytes("inject", self.job, "--out", self.out, *self.keys)
        journal, campaign = re.search(r"Files: journal/ ([^,]+), campaign.h5 ([^,]+)\.\n", self.result.out).groups()
        segments = sum(path.stat().st_size for path in (self.out / "journal").glob("*.segment"))
        self.assertAlmostEqual(bytes_of(journal), segments, delta=0.2 * segments)
        real = (self.out / "campaign.h5").stat().st_size
        self.assertAlmostEqual(bytes_of(campaign), real, delta=0.2 * real)
        with h5py.File(self.out / "campaign.h5") as file:
            self.assertEqual(len(file["/faults/bit"]), 6000)
        peak, standing, copy, start, budget, total, prepared, preparing, work = (
            int(number.replace(",", ""))
            for number in re.search(
                r"Memory per rank: ([0-9,]+) MiB at most. ([0-9,]+) are program, images and all copies of the "
                r"parameters \(([0-9,]+) each\); the start takes ([0-9,]+) beside them for a while. Of "
                r"campaign.memory_budget = ([0-9,]+) layer '\w+' takes most: ([0-9,]+) \(golden values and gradients "
                r"([0-9,]+), while computing them ([0-9,]+), work space ([0-9,]+)\)",
                self.result.out,
            ).groups()
        )
        self.assertAlmostEqual(total, prepared + preparing + work, delta=2)
        self.assertAlmostEqual(peak, standing + max(start, total), delta=2)
        self.assertLessEqual(copy, start)
        self.assertLessEqual(total, budget)
        self.assertEqual(budget, 2048)
        # Against what the campaign took: the largest resident size of its process.
        self.assertAlmostEqual(peak, resident, delta=0.25 * resident)

    def test_ranks_and_dry_run(self):
        two = self.run_flipstorm(
            "inject", self.job, "--out", self.folder / "none", "--dry-run", *self.keys, ranks=2
        )
        self.assert_code(two, 0)
        self.assertEqual(two.out.count("Plan of"), 1)
        self.assertIn("2", self.scaling(two.out))
        self.assertFalse((self.folder / "none").exists())

    def test_bad_use(self):
        for options in (["--ranks", "0"], ["--ranks", "many"], ["--ranks", "4x"], ["--calibrate", "-1"]):
            result = self.run_flipstorm("plan", self.job, "--out", self.out, *options)
            self.assert_code(result, USAGE)
        self.assertIn("64x20", self.run_flipstorm("plan", self.job, "--ranks", "4x").err)
        small = self.run_flipstorm("plan", self.job, "--out", self.out, *set_keys(campaign__memory_budget=1))
        self.assert_code(small, USAGE)
        self.assertIn("campaign.memory_budget", small.err)


if __name__ == "__main__":
    pipeline.main()
