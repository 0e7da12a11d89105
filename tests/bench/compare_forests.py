#!/usr/bin/python3
"""flipstorm's forests against scikit-learn's and imbalanced-learn's: time and ROC AUC. Prints a Markdown table.

usage: compare_forests.py BENCH_FOREST [--rows 2100000] [--trees 100] [--seeds 5] [--threads 2] [--without-libraries]
                                        [--kernel-positions]

The rows are the faults of a layer-wise campaign of a ResNet-18 (words of 32 bits, five features), with outcomes by a
rule that has the shape of real ones: bit 30 nearly always critical, the sign bit and the exponent's next ones in some
channels, some noise in all others; --kernel-positions adds the place in the kernel as a sixth feature. A library's fit and prediction are timed on the first seed alone, in the same run as
flipstorm's; the mean AUC is over all seeds, on 200,000 rows that none was trained on.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile
import time
import warnings

import numpy as np

TEST_ROWS = 200_000
# Output channels, input channels and kernel elements of ResNet-18's 21 layers of weights.
STAGES = [(64, 64), (64, 128), (128, 256), (256, 512)]
LAYERS = [(64, 3, 9)]
for before, width in STAGES:
    LAYERS += [(width, before, 9), (width, width, 9)]
    LAYERS += [(width, before, 1)] if before != width else []
    LAYERS += [(width, width, 9), (width, width, 9)]
LAYERS.append((10, 512, 1))


def faults(rows, random, positions):
    """Features (sign, bit, layer, output channel, input channel, kernel position if asked for) of faults and whether
    they are critical."""
    shapes = np.array(LAYERS)
    layer = random.integers(0, len(LAYERS), rows)
    bit = random.integers(0, 32, rows)
    sign = random.integers(0, 2, rows)
    out = random.integers(0, shapes[layer, 0])
    into = random.integers(0, shapes[layer, 1])
    p = np.full(rows, 0.001)
    p = np.where((bit >= 23) & (bit < 30), 0.004, p)
    p = np.where(bit == 30, 0.85 - 0.02 * layer, p)
    p = np.where((bit == 29) & (sign == 1), 0.1, p)
    p = np.where((bit == 31) & (layer < 4) & (out % 4 == 1) & (into % 8 < 3), 0.5, p)
    columns = [sign, bit, layer, out, into]
    if positions:
        columns.append(random.integers(0, shapes[layer, 2]))
        p = np.where((bit == 28) & (columns[5] == 4), 0.2, p)
    return np.column_stack(columns).astype(np.float32), (random.random(rows) < p).astype(np.uint8)


def write(path, train, test):
    """The file that bench_forest reads."""
    with open(path, "wb") as file:
        np.array([train[0].shape[1], len(train[1]), len(test[1]), len(LAYERS)], np.int32).tofile(file)
        np.array(LAYERS, np.int32).tofile(file)
        for x, y in (train, test):
            np.ascontiguousarray(x.T).tofile(file)
            y.tofile(file)


def timed_library(kind, train, test, trees, threads, seed, predict):
    """Seconds of the fit, seconds of the prediction of a row (if asked for) and ROC AUC."""
    from imblearn.ensemble import BalancedRandomForestClassifier
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score
    library = RandomForestClassifier if kind == "rf" else BalancedRandomForestClassifier
    model = library(trees, max_features="sqrt", random_state=seed, n_jobs=threads)
    begin = time.monotonic()
    model.fit(*train)
    fitted = time.monotonic()
    scores = model.predict_proba(test[0])[:, 1]
    per_row = (time.monotonic() - fitted) / len(test[1]) if predict else None
    return fitted - begin, per_row, roc_auc_score(test[1], scores)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench_forest")
    parser.add_argument("--rows", type=int, default=2_100_000)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--without-libraries", action="store_true")
    parser.add_argument("--kernel-positions", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # the two libraries complain about each other's versions

    random = np.random.default_rng(1)
    train, test = (faults(rows, random, arguments.kernel_positions) for rows in (arguments.rows, TEST_ROWS))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "rows.bin")
        write(path, train, test)
        print(f"{arguments.rows:,} rows ({train[1].mean():.2%} critical) x {train[0].shape[1]} features, {arguments.trees} trees, "
              f"{arguments.threads} threads; AUC: mean of {arguments.seeds} seeds\n")
        print("| forest | fit, s | library, s | ratio | ns a bit | library | ratio | AUC | library |")
        print("|---|---|---|---|---|---|---|---|---|")
        for kind in ("brf", "rf"):
            own, libraries = [], []
            for seed in range(arguments.seeds):
                own.append(json.loads(subprocess.run(
                    [arguments.bench_forest, str(path), kind, str(arguments.trees), str(arguments.threads), str(seed)],
                    check=True, capture_output=True, text=True).stdout))
                if not arguments.without_libraries:
                    libraries.append(timed_library(kind, train, test, arguments.trees, arguments.threads, seed,
                                                   seed == 0))
            fit = own[0]["bin_s"] + own[0]["fit_s"]
            bit = own[0]["map_s"] / own[0]["bits"] * 1e9
            auc = np.mean([one["auc"] for one in own])
            if arguments.without_libraries:
                print(f"| {kind} | {fit:.2f} | | | {bit:.2f} | | | {auc:.4f} | |", own[0])
                continue
            theirs, per_row = libraries[0][0], libraries[0][1] * 1e9
            print(f"| {kind} | {fit:.2f} | {theirs:.0f} | {theirs / fit:.0f} | {bit:.2f} | {per_row:,.0f} | "
                  f"{per_row / bit:,.0f} | {auc:.4f} | {np.mean([one[2] for one in libraries]):.4f} |", flush=True)


if __name__ == "__main__":
    main()
