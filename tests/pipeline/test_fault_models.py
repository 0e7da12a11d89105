#!/usr/bin/env python3
"""Stuck-at faults and upsets of several bits, chosen layers and exhaustive campaigns, through to the report."""

import math

import numpy as np
import pipeline
from pipeline import DATA, PipelineTest, USAGE, check_with_pytorch, set_keys

LENET5 = {"conv1": 150, "conv2": 2400, "fc1": 48000, "fc2": 10080, "fc3": 840}
# Masked faults among them are worth as much as others: the counts are compared, not the time.
POPULATION = {"stuck_at": 64, "stuck_at_1": 32, "adjacent_bits": 30, "random_bits": math.comb(32, 3)}


class FaultModels(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.folder / "data"
        pipeline.write_idx_dataset(cls.data)
        model = cls.folder / "model"
        cls.keys = set_keys(data__kind="idx", data__path=cls.data, data__test_images=300, train__epochs=2)
        cls.complete("train", cls.job, "--out", model, *cls.keys)
        cls.model = [*cls.keys, *set_keys(model__file=model / "model.h5")]

    def inject(self, name, command="inject", **keys):
        out = self.folder / name
        run = self.complete(command, self.job, "--out", out, *self.model, *set_keys(**keys))
        if not (out / "model.h5").exists():
            (out / "model.h5").symlink_to(self.folder / "model" / "model.h5")
        return out, pipeline.datasets(out / "campaign.h5"), run

    def agrees_with_pytorch(self, out, faults=60):
        code, text = check_with_pytorch(out, self.data, faults, "--effect")
        if code == 77:
            return
        self.assertEqual(code, 0, text)
        self.assertIn(f"equal of {faults}\n", text)

    def check(self, fault_model, bits):
        out, columns, _ = self.inject(fault_model, campaign__fault_model=fault_model, campaign__upset_bits=max(bits, 2),
                                      campaign__scheme="layer_wise", campaign__limit=500)
        self.assertEqual(list(columns["/strata/population"]), [w * POPULATION[fault_model] for w in LENET5.values()])
        masks = [int(mask) for mask in columns["/faults/mask"]]
        self.assertEqual({mask.bit_count() for mask in masks}, {bits})
        self.assertEqual([mask.bit_length() - 1 for mask in masks], list(columns["/faults/bit"]))
        self.agrees_with_pytorch(out)
        return columns, masks

    def test_stuck_at(self):
        columns, _ = self.check("stuck_at", 1)
        self.assertEqual(set(columns["/faults/effect"]), {1, 2})
        same = columns["/faults/value_before"].view(np.uint32) == columns["/faults/value_after"].view(np.uint32)
        # A bit that is stuck at what it holds: half of all faults, and they do nothing.
        self.assertGreater(same.sum(), 150)
        self.assertLess(same.sum(), 350)
        self.assertEqual(set(columns["/outcomes/mismatches"][same]), {0})
        self.assertEqual(set(columns["/outcomes/evaluated"][same]), {300})
        self.assertEqual(set(columns["/outcomes/drop"][same]), {0.0})
        self.assertGreater((columns["/outcomes/mismatches"][~same] > 0).sum(), 5)

    def test_stuck_at_1_is_the_same_in_all_modes(self):
        self.check("stuck_at_1", 1)
        found = [
            self.inject(f"mode-{mode}", campaign__fault_model="stuck_at_1", campaign__scheme="layer_wise",
                        campaign__limit=100, campaign__evaluation=mode)[1]
            for mode in ("exact", "reference")
        ]
        labels = [columns["/outcomes/drop"] > 0.05 for columns in found]
        self.assertEqual(list(labels[0]), list(labels[1]))
        full = (found[0]["/outcomes/stopped"] == 0) & (found[1]["/outcomes/stopped"] == 0)
        self.assertGreater(full.sum(), 50)
        for column in ("correct", "mismatches", "nonfinite"):
            exact, reference = (columns["/outcomes/" + column][full] for columns in found)
            self.assertEqual(list(exact), list(reference), column)

    def test_adjacent_bits(self):
        _, masks = self.check("adjacent_bits", 3)
        self.assertTrue(all(mask // (mask & -mask) == 7 for mask in masks))

    def test_random_bits(self):
        _, masks = self.check("random_bits", 3)
        self.assertGreater(sum(mask // (mask & -mask) != 7 for mask in masks), 400)

    def test_multi_bit_upsets_end_in_a_report_without_a_forest(self):
        out, columns, run = self.inject("bursts", "run", campaign__fault_model="adjacent_bits", campaign__limit=300)
        self.assertNotIn("forest.h5", [path.name for path in out.iterdir()])
        self.assertIn("No forest and no protection: its faults are upsets of 2 adjacent bits", run.out)
        self.assertIn("upsets of 2 adjacent bits", (out / "report.html").read_text())
        self.assertEqual(len(columns["/strata/bit"]), 5 * 31)
        again = ["forest", self.job, "--out", out, *self.model,
                 *set_keys(campaign__fault_model="adjacent_bits", campaign__limit=300)]
        result = self.run_flipstorm(*again)
        self.assert_code(result, DATA)
        self.assertIn("protection corrects single errors", result.err)

    def test_exhaustive_layer(self):
        out, columns, run = self.inject("exhaustive", "run", campaign__scheme="layer_wise", campaign__limit=0,
                                        campaign__layers="[conv1]", campaign__exhaustive="true",
                                        data__test_images=100)
        self.assertEqual(list(columns["/layers/injected"]), [1, 0, 0, 0, 0])
        self.assertEqual(list(columns["/strata/evaluated"]), [150 * 32])
        self.assertEqual(list(columns["/strata/planned"]), [150 * 32])
        sites = set(zip(columns["/faults/parameter"].tolist(), columns["/faults/bit"].tolist()))
        self.assertEqual(len(sites), 150 * 32)
        self.assertEqual(set(columns["/faults/layer"]), {0})
        share = 100 * (columns["/outcomes/drop"] > 0.01 + 1e-9).mean()
        # Every fault was injected: the interval has no width.
        self.assertRegex(run.out, rf"conv1 +150 +32 +{share:.3f} +{share:.3f} +{share:.3f} ")
        self.assertIn("campaign.layers left out layer 'conv2'", run.out)

    def test_errors(self):
        for keys, code, parts in (
            ({"campaign__layers": "[conv1,conv9]"}, USAGE, ["'conv9'", "conv1, conv2, fc1, fc2, fc3"]),
            ({"campaign__fault_model": "burst"}, USAGE, ["burst", "adjacent_bits"]),
            ({"campaign__fault_model": "random_bits", "campaign__upset_bits": 33}, USAGE, ["33", "≤ 32"]),
            ({"campaign__exhaustive": "true", "campaign__scheme": "iterative"}, USAGE, ["exhaustive", "iterative"]),
        ):
            result = self.run_flipstorm("inject", self.job, "--out", self.folder / "wrong", *self.model, *set_keys(**keys))
            self.assert_code(result, code)
            for part in parts:
                self.assertIn(part, result.err)


if __name__ == "__main__":
    pipeline.main()
