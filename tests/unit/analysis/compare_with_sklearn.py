#!/usr/bin/env python3
"""Hold flipstorm's forest against scikit-learn's and imbalanced-learn's on the same rows.

compare_with_sklearn.py FOREST_ON_CSV [--measure]

One tree on all rows and features: the same probabilities on the rows, to the precision of a float, and on other
rows nearly everywhere (equally good splits are broken by chance). Forests: the same ROC AUC and the same
probabilities on held-out rows as far as two forests of the same library with different seeds agree. --measure prints
the differences, and those between two seeds of the library itself, without judging.

Exit codes: 0 agrees, 1 does not, 77 scikit-learn or imbalanced-learn is missing.
"""

import subprocess
import sys
import tempfile
import warnings

try:
    import numpy as np
    from imblearn.ensemble import BalancedRandomForestClassifier
    from imblearn import __version__ as imblearn_version
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.tree import DecisionTreeClassifier
except ImportError as missing:
    print(f"skipped: needs scikit-learn and imbalanced-learn ({missing})")
    sys.exit(77)

TREES = 150
SEEDS = range(3)
# About twice the largest difference over 10 seeds, ours or between two seeds of the library (in brackets).
MAX_TREE_DISAGREEMENT = 0.02  # (0.0093)
MAX_TREE_IMPORTANCE = 0.07  # (0.0352)
MAX_AUC = 0.01  # (0.0050)
MAX_BIAS = {"rf": 0.001, "brf": 0.012}  # (0.0003, 0.0057)
MAX_IMPORTANCE = 0.03  # (0.0171)
# Mean difference of two forests, over that of two seeds of the library; 0.0030 for rf and 0.024 for brf.
MAX_RATIO = 1.25  # (1.095)


def faults(rows, seed):
    """Faults of a network of five layers: features (sign, bit, layer, out, in) and whether they are critical."""
    random = np.random.default_rng(seed)
    layer = random.integers(0, 5, rows)
    x = np.column_stack([
        random.integers(0, 2, rows), random.integers(0, 32, rows), layer,
        random.integers(0, np.array([6, 16, 120, 84, 10])[layer]),
        random.integers(0, np.array([1, 6, 400, 120, 84])[layer]),
    ])
    sign, bit, layer, out, _ = x.T
    p = np.where(bit == 30, 0.9 - 0.15 * layer, np.where((bit == 29) & (sign == 1), 0.25, 0.002))
    p = np.where((bit == 31) & (layer < 2) & (out % 4 == 1), 0.6, p)
    return x, (random.random(rows) < p).astype(int)


def ours(program, train, labels, test, bag, trees, max_features, seed):
    """Importances and probabilities of flipstorm's forest."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as train_file, \
            tempfile.NamedTemporaryFile("w", suffix=".csv") as test_file:
        np.savetxt(train_file.name, np.column_stack([train, labels]), fmt="%d", delimiter=",")
        np.savetxt(test_file.name, test, fmt="%d", delimiter=",")
        output = subprocess.run(
            [program, train_file.name, test_file.name, bag, str(trees), str(max_features), str(seed)],
            check=True, capture_output=True, text=True).stdout.splitlines()
    return np.array(output[0].split(","), float), np.array(output[1:], float)


def theirs(train, labels, test, bag, seed):
    if bag == "rf":
        model = RandomForestClassifier(TREES, max_features="sqrt", random_state=seed, n_jobs=2)
    else:
        model = BalancedRandomForestClassifier(TREES, max_features="sqrt", random_state=seed, n_jobs=2)
    model.fit(train, labels)
    return model.feature_importances_, model.predict_proba(test)[:, 1]


class Judge:
    def __init__(self, measure):
        self.measure = measure
        self.failed = False

    def at_most(self, what, value, limit, own=None):
        wrong = not value <= limit
        verdict = "" if self.measure else "  WRONG" if wrong else "  ok"
        beside = "" if own is None else f"  (library against itself {own:.6f})"
        print(f"{what:58s} {value:.6f}  limit {limit:g}{verdict}{beside}")
        self.failed = self.failed or wrong


def compare_tree(program, judge, seed):
    x, y = faults(4000, 100 + seed)
    test, _ = faults(4000, 200 + seed)
    model = DecisionTreeClassifier(random_state=seed).fit(x, y)
    importance, p = ours(program, x, y, np.vstack([x, test]), "all", 1, 5, seed)
    judge.at_most(f"tree, seed {seed}: largest difference on its rows",
                  np.abs(p[:4000] - model.predict_proba(x)[:, 1]).max(), 1e-7)
    other = DecisionTreeClassifier(random_state=seed + 1000).fit(x, y)
    on_test = model.predict_proba(test)[:, 1]
    judge.at_most(f"tree, seed {seed}: other rows that differ", np.mean(np.abs(p[4000:] - on_test) > 1e-7),
                  MAX_TREE_DISAGREEMENT, np.mean(np.abs(other.predict_proba(test)[:, 1] - on_test) > 1e-7))
    judge.at_most(f"tree, seed {seed}: importance", np.abs(importance - model.feature_importances_).max(),
                  MAX_TREE_IMPORTANCE, np.abs(other.feature_importances_ - model.feature_importances_).max())


def compare_forest(program, judge, bag, seed):
    x, y = faults(12000, 300 + seed)
    test, truth = faults(12000, 400 + seed)
    importance, p = ours(program, x, y, test, bag, TREES, 0, seed)
    their_importance, q = theirs(x, y, test, bag, seed)
    own_importance, own = theirs(x, y, test, bag, seed + 1000)
    auc, their_auc, own_auc = (roc_auc_score(truth, scores) for scores in (p, q, own))
    name = f"{bag}, seed {seed}:"
    judge.at_most(f"{name} AUC {auc:.4f} and {their_auc:.4f}", abs(auc - their_auc), MAX_AUC, abs(own_auc - their_auc))
    judge.at_most(f"{name} mean difference over the library's own", np.abs(p - q).mean() / np.abs(own - q).mean(),
                  MAX_RATIO)
    judge.at_most(f"{name} bias", abs(np.mean(p - q)), MAX_BIAS["rf" if bag == "rf" else "brf"],
                  abs(np.mean(own - q)))
    judge.at_most(f"{name} importance", np.abs(importance - their_importance).max(), MAX_IMPORTANCE,
                  np.abs(own_importance - their_importance).max())


def main(arguments):
    warnings.simplefilter("ignore")  # the two libraries complain about each other's versions
    program = arguments[0]
    judge = Judge("--measure" in arguments)
    # From 0.13 on imbalanced-learn draws each class with replacement.
    version = tuple(int(part) for part in imblearn_version.split(".")[:2])
    balanced = "undersample_bootstrap" if version < (0, 13) else "stratified_bootstrap"
    for seed in SEEDS:
        compare_tree(program, judge, seed)
        for bag in ("rf", balanced):
            compare_forest(program, judge, bag, seed)
    return 1 if judge.failed and not judge.measure else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
