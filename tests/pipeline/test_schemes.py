#!/usr/bin/env python3
"""The sampling schemes through inject and forest: the strata cover what they say, and add up."""

import math

import numpy as np
import pipeline
from pipeline import PipelineTest, set_keys

LENET5 = {"conv1": 150, "conv2": 2400, "fc1": 48000, "fc2": 10080, "fc3": 840}
BITS = 32
LIMIT = 320
# Exact counts need no large test set.
KEYS = {"data__test_images": 100, "campaign__limit": LIMIT, "campaign__error_margin": 0.02, "campaign__t": 2.58}


def sample_size(population, margin=0.02, t=2.58, p=0.5):
    """Leveugle et al., DATE 2009, eq. 4; one fault where nothing is to be estimated."""
    if p * (1 - p) == 0:
        return 1
    return math.ceil(population / (1 + margin**2 * (population - 1) / (t**2 * p * (1 - p))))


def priors(weights):
    """p of each bit of a layer: mean distance of a flip, scaled to [0, 0.5] without outliers (Ruospo et al., 2023)."""
    words = weights.reshape(-1).view(np.uint32)
    golden = weights.reshape(-1).astype(np.float64)
    distances = []
    for bit in range(BITS):
        with np.errstate(invalid="ignore"):
            faulty = (words ^ np.uint32(1 << bit)).view(np.float32).astype(np.float64)
        far = np.float64(np.finfo(np.float32).max)
        distances.append(np.where(np.isfinite(faulty), np.abs(faulty - golden), far).mean())
    distances = np.array(distances)
    usual = distances[distances <= distances.mean() + 3 * distances.std()]
    return np.clip(0.5 * (distances - usual.min()) / (usual.max() - usual.min()), 0, 0.5)


class Schemes(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        model = cls.folder / "model"
        cls.complete("train", cls.job, "--out", model)
        cls.model = set_keys(model__file=model / "model.h5")

    def campaign(self, scheme, proportions=None):
        out = self.folder / scheme
        options = [self.job, "--out", out, *self.model, *set_keys(campaign__scheme=scheme, **KEYS)]
        self.complete("inject", *options)
        self.complete("forest", *options)
        columns = pipeline.datasets(out / "campaign.h5")
        forest = pipeline.datasets(out / "forest.h5")
        self.check_faults(columns, proportions)
        self.assertTrue((forest["/samples/rows"] == LIMIT).all())
        drop = columns["/outcomes/drop"]
        self.assertEqual(list(forest["/samples/critical"]), [(drop > t).sum() for t in forest["/tolerances"]])
        for layer, weights in LENET5.items():
            self.assertEqual(forest["/criticality/" + layer].shape, (weights, BITS))
        return columns

    def check_faults(self, columns, proportions=None):
        """What holds for every scheme."""
        layers = dict(zip((name.decode() for name in columns["/layers/name"]), columns["/layers/weights"]))
        self.assertEqual(layers, LENET5)
        strata = {name: columns["/strata/" + name] for name in ("layer", "bit", "population", "planned", "evaluated")}
        faults = {name: columns["/faults/" + name] for name in ("stratum", "layer", "parameter", "bit")}
        self.assertEqual(len(faults["layer"]), LIMIT)
        self.assertEqual(strata["evaluated"].sum(), LIMIT)
        counts = np.bincount(faults["stratum"], minlength=len(strata["layer"]))
        self.assertEqual(list(counts), list(strata["evaluated"]))
        self.assertTrue((strata["evaluated"] > 0).all())
        self.assertTrue((strata["evaluated"] <= strata["planned"]).all())
        proportions = np.full(len(strata["layer"]), 0.5) if proportions is None else proportions
        self.assertEqual(list(strata["planned"]),
                         [sample_size(int(n), p=p) for n, p in zip(strata["population"], proportions)])
        self.assertEqual(strata["population"].sum(), BITS * sum(LENET5.values()))
        for column in ("layer", "bit"):
            of_stratum = strata[column][faults["stratum"]]
            self.assertTrue(((of_stratum == -1) | (of_stratum == faults[column])).all(), column)
        self.assertTrue((faults["parameter"] < columns["/layers/weights"][faults["layer"]]).all())
        self.assertTrue((faults["bit"] < BITS).all())
        sites = set(zip(faults["layer"].tolist(), faults["parameter"].tolist(), faults["bit"].tolist()))
        self.assertEqual(len(sites), LIMIT, "a fault was drawn twice")

    def test_network_wise(self):
        columns = self.campaign("network_wise")
        self.assertEqual(list(columns["/strata/layer"]), [-1])
        self.assertEqual(list(columns["/strata/bit"]), [-1])
        self.assertGreater((columns["/faults/layer"] == 2).sum(), LIMIT / 2, "fc1 holds four fifths of the bits")

    def test_layer_wise(self):
        columns = self.campaign("layer_wise")
        self.assertEqual(list(columns["/strata/layer"]), [0, 1, 2, 3, 4])
        self.assertEqual(set(columns["/strata/bit"]), {-1})
        self.assertEqual(list(columns["/strata/population"]), [BITS * weights for weights in LENET5.values()])
        self.assertEqual(list(columns["/strata/evaluated"]), [LIMIT // 5] * 5)

    def test_data_unaware(self):
        columns = self.campaign("data_unaware")
        self.assertEqual(list(zip(columns["/strata/layer"], columns["/strata/bit"])),
                         [(layer, bit) for layer in range(5) for bit in range(BITS)])
        self.assertEqual(list(columns["/strata/population"]), [w for w in LENET5.values() for _ in range(BITS)])
        self.assertEqual(set(columns["/strata/evaluated"]), {LIMIT // (5 * BITS)})

    def test_data_aware(self):
        parameters = pipeline.datasets(self.folder / "model" / "model.h5")
        proportions = np.concatenate([priors(parameters[f"/parameters/{layer}.weight"]) for layer in LENET5])
        columns = self.campaign("data_aware", proportions)
        self.assertEqual(list(columns["/strata/bit"]), list(range(BITS)) * 5)
        self.assertEqual(proportions[30], 0.5)
        self.assertLess(proportions[:16].max(), 0.01)


if __name__ == "__main__":
    pipeline.main()
