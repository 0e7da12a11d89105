#!/usr/bin/python3
"""How far samples and their forests are from the truth about a network. Prints two Markdown tables.

usage: compare_with_truth.py FLIPSTORM TRUTH SAMPLE [SAMPLE ...] [--screened OUT]

All are out folders: of an exhaustive campaign without a screen, of samples of the same network with forests that were
judged by it (forest.validate_with), and of the exhaustive campaign with a screen. The
missed critical bits of all samples are compared where as many bits are flagged as the first sample's forest does; what
was injected is known, and counts as flagged or not as it was measured.
"""
import argparse
import json
import os
import pathlib
import subprocess

import h5py
import numpy as np


class Judged:
    """What a truth says of a forest."""

    def __init__(self, out, bits, critical):
        with h5py.File(out / "forest.h5") as file:
            group = file["validation"]
            names = group["score"].asstr()[:]
            self.scores, self.table = (dict(zip(names, group[column][:])) for column in ("value", "table"))
            counts = (group[f"levels/{name}"][0].astype(float) for name in ("acceptable", "critical"))
            self.acceptable, self.critical = (count[::-1] for count in counts)  # by falling level
            rest = group["score"].attrs
            self.known = critical - int(rest["critical"])  # critical bits that were injected
            self.bits, self.all_critical = bits, critical
            self.flagged = self.known + self.scores["flagged"] * int(rest["faults"])

    def missed(self, flagged):
        """Share of all critical bits that are not flagged where so many bits are, the known ones first."""
        both = self.acceptable + self.critical
        before = np.concatenate([[0], np.cumsum(both)[:-1]])
        part = np.clip((flagged - self.known - before) / np.maximum(both, 1e-300), 0, 1)
        return 1 - (self.known + (part * self.critical).sum()) / self.all_critical


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
    print(f"The truth: {100 * right[smallest]['share']:.4f} % critical at {100 * smallest:g} %, "
          f"{right[smallest]['hits']:,} of {right[smallest]['faults']:,} bits.\n")
    print("| sample | faults | critical %, 95 % | tolerances held | AUC | table's | PR AUC | table's | critical bits known | "
          "bits flagged % | missed % | missed % at equal flags |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    first = None
    common = os.path.commonpath([out.parent for out in arguments.samples])
    for out in arguments.samples:
        judged = Judged(out, right[smallest]["faults"], right[smallest]["hits"])
        first = first or judged
        sample = "| |"  # a forest of a campaign elsewhere
        if (out / "campaign.h5").exists():
            found = shares(arguments.flipstorm, out)
            one = found[smallest]
            held = sum(found[t]["low"] <= right[t]["share"] <= found[t]["high"] for t in right)
            sample = (f"{one['faults']:,} | {100 * one['share']:.3f} [{100 * one['low']:.3f}, {100 * one['high']:.3f}] | "
                      f"{held} of {len(right)}")
        print(f"| {os.path.relpath(out, common)} | {sample} | {judged.scores['auc']:.5f} | "
              f"{judged.table['auc']:.5f} | {judged.scores['pr_auc']:.4f} | {judged.table['pr_auc']:.4f} | "
              f"{judged.known:,} | {100 * judged.flagged / judged.bits:.3f} | "
              f"{100 * judged.missed(judged.flagged):.3f} | {100 * judged.missed(first.flagged):.3f} |")
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
