#!/usr/bin/python3
"""How far samples and their forests are from the truth about a network. Prints two Markdown tables.

usage: compare_with_truth.py FLIPSTORM TRUTH SAMPLE [SAMPLE ...] [--screened OUT]

All are out folders: of an exhaustive campaign without a screen, of samples of the same network with forests that were
judged by it (forest.validate_with), and of the exhaustive campaign with a screen. The
missed critical bits of all samples are compared where as many bits are flagged as the first sample's forest does.
"""
import argparse
import json
import pathlib
import subprocess

import h5py
import numpy as np


def validation(out):
    """The scores of a forest by name, and what its levels stand for (acceptable, critical)."""
    with h5py.File(out / "forest.h5") as file:
        group = file["validation"]
        scores = dict(zip(group["score"].asstr()[:], group["value"][:]))
        table = dict(zip(group["score"].asstr()[:], group["table"][:]))
        levels = group["levels"]
        return scores, table, levels["acceptable_share"][0], levels["critical_share"][0]


def missed_where(acceptable, critical, flagged):
    """Share of the critical bits that are not flagged where so large a share of all is."""
    all_bits = (acceptable + critical)[::-1]
    before = np.concatenate([[0], np.cumsum(all_bits)[:-1]])
    part = np.clip((flagged * all_bits.sum() - before) / np.maximum(all_bits, 1e-300), 0, 1)
    return 1 - (part * critical[::-1]).sum() / critical.sum()


def shares(flipstorm, out):
    """Critical share of the network by tolerance, as `status` has it."""
    text = subprocess.run([flipstorm, "status", out, "--json"], check=True, capture_output=True, text=True).stdout
    return {row["tolerance"]: row["critical"] for row in json.loads(text)["network"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flipstorm")
    parser.add_argument("truth", type=pathlib.Path)
    parser.add_argument("samples", type=pathlib.Path, nargs="+")
    parser.add_argument("--screened", type=pathlib.Path)
    arguments = parser.parse_args()

    right = shares(arguments.flipstorm, arguments.truth)
    smallest = min(right)
    print(f"The truth: {100 * right[smallest]['share']:.4f} % critical at {100 * smallest:g} %.\n")
    print("| sample | faults | critical %, 95 % | tolerances held | AUC | table's | PR AUC | table's | flagged % | "
          "missed % | missed % at equal flags |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    flagged = validation(arguments.samples[0])[0]["flagged"]
    for out in arguments.samples:
        scores, table, acceptable, critical = validation(out)
        found = shares(arguments.flipstorm, out)
        one = found[smallest]
        held = sum(found[t]["low"] <= right[t]["share"] <= found[t]["high"] for t in right)
        print(f"| {out.name} | {one['faults']:,} | {100 * one['share']:.3f} [{100 * one['low']:.3f}, "
              f"{100 * one['high']:.3f}] | {held} of {len(right)} | {scores['auc']:.5f} | {table['auc']:.5f} | "
              f"{scores['pr_auc']:.4f} | {table['pr_auc']:.4f} | {100 * scores['flagged']:.3f} | "
              f"{100 * scores['missed']:.3f} | {100 * missed_where(acceptable, critical, flagged):.3f} |")
    if not arguments.screened:
        return
    with h5py.File(arguments.truth / "campaign.h5") as exact, h5py.File(arguments.screened / "campaign.h5") as screened:
        for column in ("layer", "parameter", "bit"):
            assert (exact[f"faults/{column}"][:] == screened[f"faults/{column}"][:]).all()
        drops = [file["outcomes/drop"][:] for file in (exact, screened)]
        misses = [file["outcomes/mismatches"][:].astype(np.int64) for file in (exact, screened)]
        stopped = (exact["outcomes/stopped"][:] | screened["outcomes/stopped"][:]) != 0
        images, bound = exact.attrs["images"], screened["screen"].attrs["bound95"]
    other = (misses[0] != misses[1]) & ~stopped
    changed = np.abs(misses[0] - misses[1])[other].sum()
    classes = [sum((drop > t + 1e-9).astype(int) for t in right) for drop in drops]
    print(f"\nScreened against exact: {other.sum():,} of {len(other):,} faults differ in their mismatches, by {changed:,} "
          f"of {len(other) * int(images):,} images ({changed / len(other) / images:.1e}; bound of a layer's screened "
          f"pairs {bound:.1e}); {(classes[0] != classes[1]).sum():,} faults are critical for other tolerances.")


if __name__ == "__main__":
    main()
