#!/usr/bin/env python3
"""`bench` on a small job: the same faults in every mode, outcomes that agree, numbers that add up."""

import json

import pipeline
from pipeline import IO, STOPPED, USAGE, PipelineTest

MODES = ["reference", "exact", "screened"]


class Bench(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.out = cls.folder / "out"
        cls.complete("train", cls.job, "--out", cls.out)
        cls.before = pipeline.digests(cls.out)
        cls.result = cls.bench("all", "--faults", 60)
        cls.numbers = json.loads((cls.folder / "all.json").read_text())

    @classmethod
    def bench(cls, name, *options, **more):
        return cls.complete(
            "bench", cls.job, "--out", cls.out, "--seconds", 1, "--json", cls.folder / f"{name}.json", *options, **more
        )

    def test_every_mode_is_there(self):
        self.assertEqual([mode["mode"] for mode in self.numbers["modes"]], MODES)
        for title in ("Speed: lenet5", "What became of the (fault, image) pairs", "By layer", "Agreement"):
            self.assertIn(title, self.result.out)
        for mode in self.numbers["modes"]:
            self.assertGreater(mode["faults_per_second"], 0)
            self.assertGreater(mode["seconds"], mode["shared_seconds"])
            self.assertGreater(mode["campaign_seconds"], 0)
        self.assertEqual(self.numbers["modes"][0]["ratio_to_reference"], 1)
        self.assertEqual(self.numbers["layers"], ["conv1", "conv2", "fc1", "fc2", "fc3"])
        self.assertEqual(sum(self.numbers["plan_faults"]), 480)

    def test_faster_modes_take_at_least_as_many_faults(self):
        faults = [[layer["faults"] for layer in mode["layers"]] for mode in self.numbers["modes"]]
        for slow, fast in zip(faults, faults[1:]):
            self.assertTrue(all(a <= b for a, b in zip(slow, fast)), faults)
        self.assertTrue(all(0 < count <= 60 for mode in faults for count in mode), faults)

    def test_pairs_add_up(self):
        for mode in self.numbers["modes"]:
            steps = ("stopped", "masked", "proven", "screened", "rescreened", "finished")
            self.assertEqual(mode["pairs"], mode["faults"] * self.numbers["images"], mode["mode"])
            self.assertEqual(mode["pairs"] + mode["audited"], sum(mode[step] for step in steps), mode["mode"])
            self.assertGreater(mode["macs"], 0)
            self.assertLess(mode["share_of_peak"], 1.05, "faster than the processor")
        reference, exact, screened = self.numbers["modes"]
        self.assertEqual(reference["finished"], reference["pairs"])
        self.assertEqual(exact["screened"] + exact["rescreened"] + exact["audited"], 0)
        self.assertGreater(exact["masked"], 0)
        self.assertGreater(screened["screened"] + screened["rescreened"], 0)

    def test_outcomes_agree(self):
        pairs = {(a["mode"], a["against"]): a for a in self.numbers["agreement"]}
        self.assertEqual(sorted(pairs), [("exact", "reference"), ("screened", "exact"), ("screened", "reference")])
        exact = pairs["exact", "reference"]
        self.assertEqual(exact["faults"], self.numbers["modes"][0]["faults"])
        self.assertEqual(exact["equal"] + exact["within_bound"] + exact["near_ties"], exact["faults"])
        self.assertEqual(exact["labels_differ"], 0)
        self.assertEqual(exact["labels"], 2 * exact["faults"])
        screened = pairs["screened", "exact"]
        self.assertEqual(screened["faults"], self.numbers["modes"][1]["faults"])
        self.assertEqual(screened["equal"] + screened["within_bound"] + screened["differ"], screened["faults"])

    def test_memory_is_within_the_budget(self):
        for mode in self.numbers["modes"]:
            self.assertLessEqual(mode["peak_bytes"], self.numbers["memory_budget"])
            self.assertGreater(mode["resident_bytes"], 1 << 20)

    def test_the_out_folder_stays_as_it_is(self):
        self.assertEqual(pipeline.digests(self.out), self.before)

    def test_the_journal_costs_little(self):
        """Of a campaign that lasts for more than one segment; on a file system that others may be busy with."""
        limit = ["--set", "campaign.limit=1000000"]
        result = self.bench("journal", "--modes", "screened", "--faults", 60, *limit)
        journal = json.loads((self.folder / "journal.json").read_text())["journal"]
        self.assertEqual(journal["mode"], "screened")
        self.assertGreaterEqual(journal["work_seconds"], 5)  # campaign.journal_seconds
        self.assertGreater(journal["faults"], 1000)
        self.assertGreater(journal["bytes"], journal["faults"])
        self.assertGreater(journal["seconds"], 0)
        self.assertAlmostEqual(journal["share"], journal["seconds"] / (journal["work_seconds"] + journal["seconds"]))
        self.assertLess(journal["share"], 0.02)
        self.assertRegex(result.out, r"Journal \(screened\): a segment of [\d,]+ faults, .* % of the run time")
        small = self.numbers["journal"]  # all in one segment, at the end
        self.assertEqual((small["faults"], small["mode"]), (480, "screened"))
        self.assertEqual(pipeline.digests(self.out), self.before)

    def test_some_modes_only(self):
        self.bench("two", "--modes", "screened,exact", "--faults", 5)
        numbers = json.loads((self.folder / "two.json").read_text())
        self.assertEqual([mode["mode"] for mode in numbers["modes"]], ["exact", "screened"])
        self.assertEqual([mode["ratio_to_reference"] for mode in numbers["modes"]], [None, None])
        self.assertEqual([mode["faults"] for mode in numbers["modes"]], [25, 25])

    def test_bad_use(self):
        for options in (["--modes", "fast"], ["--faults", "0"], ["--seconds", "-1"], ["--backend", "gpu"]):
            self.assert_code(self.run_flipstorm("bench", self.job, "--out", self.out, *options), USAGE)
        two = self.run_flipstorm("bench", self.job, "--out", self.out, ranks=2)
        self.assert_code(two, USAGE)
        self.assertEqual(two.err.count("bench measures one rank"), 1)
        missing = self.run_flipstorm("bench", self.job, "--out", self.folder / "none")
        self.assert_code(missing, IO)
        self.assertIn("'flipstorm train' makes it", missing.err)
        late = self.run_flipstorm("bench", self.job, "--out", self.out, "--deadline", 1)
        self.assert_code(late, STOPPED)
        self.assertIn("a benchmark keeps nothing", late.err)
        unwritable = ["--json", self.folder / "none" / "x.json", "--modes", "exact", "--faults", "1"]
        self.assert_code(self.run_flipstorm("bench", self.job, "--out", self.out, *unwritable), IO)


if __name__ == "__main__":
    pipeline.main()
