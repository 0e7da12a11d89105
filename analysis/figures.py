#!/usr/bin/env python3
"""Draw the figures of a flipstorm job.

Reads campaign.h5, forest.h5 and protection.h5 of a job's out folder and writes figures/criticality.png,
figures/roc.png, figures/overhead.png and figures/pareto.png there; with --memory figures/ber.png. With --check it only says whether it could. With --comparison
it reads comparison.h5 and writes what there are data for: figures/regret.png, figures/protection.png and
figures/weights.png.

Exit codes: 0 done, 64 usage, 65 a file lacks something or its content is impossible, 74 a file cannot be
read or written, 69 h5py or matplotlib is missing.
"""

import argparse
import pathlib
import re
import secrets
import sys

USAGE, DATA, UNAVAILABLE, IO = 64, 65, 69, 74

try:
    import h5py
    import matplotlib
    import numpy as np

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import PowerNorm
except ImportError as missing:
    print(f"figures.py: needs h5py, numpy and matplotlib: {missing}", file=sys.stderr)
    sys.exit(UNAVAILABLE)

BLUE, ORANGE, GREY = "#0b5fa5", "#d97a00", "#6b7785"
STYLE = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
}


class Failure(Exception):
    """A message for the user and the exit code that goes with it."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def save(figure, target):
    """Write a figure so that its name only ever stands for a whole one, and never through a link that lies there.

    The temporary name is one that flipstorm recognises if this is killed: see engine/base/temporary_file.hpp.
    """
    temporary = target.with_name(f".{target.name}.{'0' * 16}{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            figure.savefig(file, format="png")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def open_file(path, name):
    """Open a file and check that it is a flipstorm/NAME."""
    if not path.is_file():
        raise Failure(IO, f"{path}: no such file; run the stage that writes it first")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise Failure(IO, f"{path}: not a readable HDF5 file ({error})") from error
    kind = text(file.attrs.get("filetype", "nothing known"))
    if kind != f"flipstorm/{name}":
        file.close()
        raise Failure(DATA, f"{path}: is '{kind}', not 'flipstorm/{name}'")
    return file


def column(file, path):
    """A data set as an array."""
    if path not in file or not isinstance(file[path], h5py.Dataset):
        raise Failure(DATA, f"{file.filename}: no data set {path}")
    return file[path][...]


def attribute(item, name):
    if name not in item.attrs:
        raise Failure(DATA, f"{item.file.filename}: no attribute {name} at {item.name}")
    return item.attrs[name]


def fields_of(argument):
    """("fp32", [("sign", 1), ("exponent", 8), ("mantissa", 23)]) of "fp32=sign:1,exponent:8,mantissa:23"."""
    name, fields = argument.split("=")
    return name, [(field, int(width)) for field, width in (each.split(":") for each in fields.split(","))]


def word_fields(campaign, fields):
    """Number format of the stored words, as the resolved job file says it, and their fields; None if not known."""
    found = re.search(r"^\s*format\s*=\s*[\"'](\w+)[\"']", text(campaign.attrs.get("job", "")), re.MULTILINE)
    return (found.group(1), fields[found.group(1)]) if found and found.group(1) in fields else None


def predicted_shares(forest, names, bits):
    """Mean calibrated probability in percent, [layers, bits]; NaN where a layer has no such bit.

    Files before version 1.2 have votes alone, which those of a balanced forest exaggerate.
    """
    calibrated = "/calibration" in forest
    group = "/level" if calibrated else "/criticality"
    meaning = column(forest, "/calibration/probability") if calibrated else np.arange(256) / 255
    if meaning.shape != (256,):
        raise Failure(DATA, f"{forest.filename}: /calibration/probability has not 256 values")
    shares = np.full((len(names), bits), np.nan)
    for layer, name in enumerate(names):
        level = column(forest, f"{group}/{name}")
        if level.ndim != 2 or level.shape[1] > bits or level.dtype != np.uint8:
            raise Failure(DATA, f"{forest.filename}: {group}/{name} is not uint8 [weights, bits]")
        for bit in range(level.shape[1]):
            shares[layer, bit] = 100 * meaning @ np.bincount(level[:, bit], minlength=256) / max(1, len(level))
    return shares


def measured_shares(campaign, layers, bits, tolerance):
    """Critical share of the injected faults in percent, [layers, bits]; NaN where there were none."""
    layer = column(campaign, "/faults/layer").astype(np.int64)
    bit = column(campaign, "/faults/bit").astype(np.int64)
    critical = column(campaign, "/outcomes/drop") > tolerance + 1e-9
    if not layer.size == bit.size == critical.size:
        raise Failure(DATA, f"{campaign.filename}: columns of /faults and /outcomes are not equally long")
    if layer.size and (layer.min() < 0 or layer.max() >= layers or bit.max() >= bits):
        raise Failure(DATA, f"{campaign.filename}: /faults names a layer or bit that does not exist")
    cell = layer * bits + bit
    faults = np.bincount(cell, minlength=layers * bits).reshape(layers, bits)
    hits = np.bincount(cell, weights=critical, minlength=layers * bits).reshape(layers, bits)
    return np.divide(100 * hits, faults, out=np.full((layers, bits), np.nan), where=faults > 0)


def mark_fields(axes, fields, bits):
    """Name the fields of the stored word above the bits, most significant left."""
    start = bits - 1
    for field, width in fields:
        left, right = start + 0.5, start - width + 0.5
        if right >= 0:
            axes.axvline(right, color="white", linewidth=1.6)
            axes.axvline(right, color="black", linewidth=0.6)
        narrow = width < 3
        axes.annotate(
            "S" if narrow else field, ((left + right) / 2, 1.0), xycoords=("data", "axes fraction"),
            xytext=(0, 3), textcoords="offset points", ha="center", va="bottom", fontsize=8.5, color=GREY,
        )
        start -= width


def draw_criticality(campaign, forest, fields, target):
    names = [text(name) for name in column(campaign, "/layers/name")]
    bits = int(column(campaign, "/layers/word_bits").max())
    tolerance = float(attribute(forest, "tolerance"))
    panels = (
        ("Predicted, all weights", predicted_shares(forest, names, bits)),
        ("Measured, injected faults", measured_shares(campaign, len(names), bits, tolerance)),
    )
    word = word_fields(campaign, fields)
    if word and sum(width for _, width in word[1]) != bits:
        word = None
    side_by_side = bits <= 16
    height = max(1.6, (0.3 if len(names) <= 24 else 0.2) * len(names))
    size = (3.4 + 0.46 * bits, 1.6 + height) if side_by_side else (2.6 + 0.2 * bits, 2.2 + 2 * height)
    figure, axes = plt.subplots(*((1, 2) if side_by_side else (2, 1)), figsize=size, sharex=True, sharey=True)
    norm = PowerNorm(0.5, vmin=0, vmax=100)  # a square root, so that a share of 1 % can be told from none
    colours = plt.get_cmap("viridis").copy()
    colours.set_bad("#e3e7eb")
    for axis, (title, shares) in zip(axes, panels):
        edges = np.arange(bits + 1) - 0.5
        image = axis.pcolormesh(edges, np.arange(len(names) + 1) - 0.5, np.ma.masked_invalid(shares), cmap=colours,
                                norm=norm, rasterized=True)
        axis.set_facecolor("#e3e7eb")
        axis.set_yticks(range(len(names)), names, fontsize=9 if len(names) <= 24 else 7)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.set_title(title, loc="left", pad=18 if word else 6)
        if word:
            mark_fields(axis, word[1], bits)
    step = 4 if bits > 16 else 2 if bits > 8 else 1
    axes[-1].set_xticks([b for b in range(bits) if b % step == 0 or b == bits - 1])
    axes[-1].set_xlim(bits - 0.5, -0.5)
    figure.supxlabel(f"bit position (0 = least significant){f', {word[0]}' if word else ''}", fontsize=10)
    figure.supylabel("layer", fontsize=10)
    bar = figure.colorbar(image, ax=axes, ticks=[0, 1, 5, 10, 25, 50, 75, 100], pad=0.02, aspect=30)
    bar.set_label(f"critical share [%]\nat a tolerated drop of {100 * tolerance:g} %")
    bar.outline.set_visible(False)
    save(figure, target)
    plt.close(figure)


def draw_roc(forest, target):
    false_positive = column(forest, "/roc/false_positive_rate")
    true_positive = column(forest, "/roc/true_positive_rate")
    tolerance = float(attribute(forest, "tolerance"))
    tolerances = column(forest, "/tolerances")
    scores = column(forest, "/scores/auc_test")
    if false_positive.shape != true_positive.shape or tolerances.shape != scores.shape or not tolerances.size:
        raise Failure(DATA, f"{forest.filename}: columns of /roc or /scores do not fit each other")
    auc = float(scores[np.argmin(np.abs(tolerances - tolerance))])

    figure, axis = plt.subplots(figsize=(4.8, 4.8))
    axis.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="chance")
    if false_positive.size:
        axis.plot(false_positive, true_positive, color=BLUE, linewidth=2, label=f"forest, AUC = {auc:.4f}")
        axis.fill_between(false_positive, true_positive, color=BLUE, alpha=0.08, linewidth=0)
    else:
        axis.text(0.5, 0.5, "one class only:\nno forest at this tolerance", ha="center", va="center", color=GREY)
    axis.set_xlabel("false positive rate (acceptable faults flagged)")
    axis.set_ylabel("true positive rate (critical faults flagged)")
    axis.set_title(f"Held-out faults, tolerated drop {100 * tolerance:g} %", loc="left")
    axis.set_xlim(-0.02, 1.02)
    axis.set_ylim(-0.02, 1.02)
    axis.set_aspect("equal")
    axis.grid(color="#e3e7eb", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.legend(loc="lower right", frameon=False)
    if auc > 0.97:  # good forests differ in the corner only
        inset = axis.inset_axes([0.38, 0.28, 0.5, 0.42])
        inset.plot(false_positive, true_positive, color=BLUE, linewidth=1.6)
        inset.set_xlim(-0.004, 0.1)
        inset.set_ylim(0.9, 1.004)
        inset.grid(color="#e3e7eb", linewidth=0.6)
        inset.tick_params(labelsize=7.5)
        inset.set_title("corner", fontsize=8.5, color=GREY)
    save(figure, target)
    plt.close(figure)


def draw_overhead(protection, target):
    if "/overhead" not in protection:
        raise Failure(DATA, f"{protection.filename}: no group /overhead")
    group = protection["/overhead"]
    everything = float(attribute(group, "all_parameters"))
    critical = float(attribute(group, "critical_parameters"))
    signature = float(attribute(group, "signature"))
    gain = float(attribute(group, "gain"))

    figure, axis = plt.subplots(figsize=(5.2, 4.2))
    axis.bar(0, everything, width=0.55, color=GREY, label="parity, all parameters")
    axis.bar(1, critical, width=0.55, color=BLUE, label="parity, critical parameters")
    axis.bar(1, signature, width=0.55, bottom=critical, color=ORANGE, label="signature")
    for place, height in ((0, everything), (1, critical + signature)):
        axis.annotate(f"{height:.2f} %", (place, height), xytext=(0, 4), textcoords="offset points", ha="center",
                      fontweight="bold")
    axis.set_xticks([0, 1], ["SEC on all parameters", "SEC on critical\nparameters + signature"])
    axis.set_xlim(-0.6, 1.6)
    axis.set_ylim(0, 1.4 * max(everything, critical + signature, 1e-9))
    axis.set_ylabel("extra memory [% of the weights]")
    axis.set_title(f"Selective protection saves {gain:.1f} % of the extra memory" if gain >= 0 else
                   f"Selective protection costs {-gain:.1f} % more extra memory", loc="left")
    axis.grid(axis="y", color="#e3e7eb", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.legend(loc="upper right", frameon=False, fontsize=9)
    save(figure, target)
    plt.close(figure)


def draw_pareto(protection, target):
    """Overhead against what is left, of the schemes and of the optimizer's plans."""
    schemes = [text(name) for name in column(protection, "/options/scheme")]
    threshold, overhead, left = (column(protection, f"/options/{name}")
                                 for name in ("threshold", "total_overhead", "predicted_residual"))
    if not len(schemes) == len(threshold) == len(overhead) == len(left):
        raise Failure(DATA, f"{protection.filename}: columns of /options do not fit each other")
    front = np.empty((0, 2))
    if "/front" in protection:
        front = np.stack([column(protection, f"/front/{name}") for name in ("overhead", "predicted_residual")], axis=1)
    positive = 100 * np.concatenate([left, front[:, 1]])
    positive = positive[positive > 0]
    # What leaves nothing, or next to nothing, stands on the floor.
    most = positive.max() if len(positive) else 1.0
    floor = max(most * 1e-6, positive.min() / 3 if len(positive) else 1e-6)

    figure, axis = plt.subplots(figsize=(6.6, 4.4))
    if len(front):
        axis.step(front[:, 0], np.fmax(100 * front[:, 1], floor), where="post", color=BLUE, linewidth=1.6,
                  label="optimized: any budget")
    of_thresholds = [i for i, name in enumerate(schemes) if name == "sec_critical"]
    if of_thresholds:
        axis.plot(overhead[of_thresholds], np.fmax(100 * left[of_thresholds], floor), ".-", color=ORANGE,
                  linewidth=0.8, markersize=4, label="sec_critical: any threshold")
    for i, name in enumerate(schemes):
        if name == "sec_critical" and threshold[i] != 0.5:
            continue
        place = (overhead[i], max(100 * left[i], floor))
        colour = BLUE if name == "optimized" else ORANGE if name == "sec_critical" else GREY
        axis.plot(*place, "o", color=colour, markersize=7)
        axis.annotate(name, place, xytext=(6, 6), textcoords="offset points", fontsize=9, color=colour,
                      rotation=60 if place[1] == floor else 0)
    axis.set_yscale("log")
    axis.set_ylim(floor / 4, 8 * most)
    axis.set_xlim(-0.03 * max(overhead.max(), 1), 1.12 * max(overhead.max(), 1))
    axis.axhline(floor, color="#c9d0d8", linewidth=0.8, linestyle="--")
    axis.annotate("nothing to speak of", (1, floor), xycoords=("axes fraction", "data"), xytext=(-2, -11),
                  textcoords="offset points", fontsize=8, color=GREY, ha="right")
    axis.set_xlabel("extra memory [% of the weights]")
    axis.set_ylabel("single upsets left critical, predicted [%]")
    axis.set_title("What protection costs and what it leaves", loc="left")
    axis.grid(color="#e3e7eb", linewidth=0.8)
    axis.set_axisbelow(True)
    if len(front) or of_thresholds:
        axis.legend(loc="upper right", frameon=False, fontsize=9)
    save(figure, target)
    plt.close(figure)


def draw_ber(memory, target):
    """Accuracy against bit error rate: means, and the middle nine tenths of the memories."""
    rates = column(memory, "/ber")
    row, side, correct = (column(memory, f"/trials/{name}") for name in ("rate", "protected", "correct"))
    images = float(attribute(memory, "images"))
    golden = np.asarray(attribute(memory, "golden_correct"), float)
    if not len(row) == len(side) == len(correct) or golden.shape != (2,):
        raise Failure(DATA, f"{memory.filename}: columns of /trials do not fit each other")
    figure, axis = plt.subplots(figsize=(6.6, 4.2))
    lowest = 100.0
    for which, name, colour in ((0, "unprotected", GREY), (1, "protected", BLUE)):
        trials = [100 * correct[(row == r) & (side == which)] / images for r in range(len(rates))]
        known = [r for r in range(len(rates)) if len(trials[r]) and rates[r] > 0]
        if not known:
            continue
        low, mean, high = (np.array([f(trials[r]) for r in known]) for f in
                           (lambda t: np.quantile(t, 0.05), np.mean, lambda t: np.quantile(t, 0.95)))
        lowest = min(lowest, low.min())
        axis.fill_between(rates[known], low, high, color=colour, alpha=0.18, linewidth=0)
        axis.plot(rates[known], mean, "o-", color=colour, linewidth=1.6, markersize=4, label=name)
        axis.axhline(100 * golden[which] / images, color=colour, linewidth=0.8, linestyle="--")
    axis.set_xscale("log")
    top = 100 * golden.max() / images
    axis.set_ylim(max(0.0, lowest - 0.1 * (top - lowest) - 1), top + 0.1 * (top - lowest) + 0.5)
    axis.set_xlabel("bit error rate of the memory")
    axis.set_ylabel("accuracy [%]")
    axis.set_title("Accuracy under a bit error rate: mean, and 5 to 95 % of the memories", loc="left")
    axis.grid(color="#e3e7eb", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.legend(loc="lower left", frameon=False)
    save(figure, target)
    plt.close(figure)


def colours_of(count):
    """The first variant grey, the others from light to dark."""
    shades = plt.get_cmap("viridis")(np.linspace(0.75, 0.1, max(1, count - 1)))
    return [GREY, *shades][:count]


def variant_labels(names):
    return [name.replace("-", "-\n", 1) if len(name) > 12 else name for name in names]


def name_places(axis, names, width):
    """The names of the variants below their places, slanted where they would meet."""
    crowded = max(len(line) for name in names for line in name.split("\n")) * len(names) > 15 * width
    axis.set_xticks(range(len(names)), names, rotation=30 if crowded else 0,
                    ha="right" if crowded else "center")
    axis.set_xlim(-0.6, len(names) - 0.4)


def draw_regret(comparison, target):
    """Bars with 95 % intervals by variant, and marks by fault model. False if there is no regret."""
    names = [text(name) for name in column(comparison, "/variants/name")]
    value, low, high = (100 * column(comparison, f"/variants/regret{end}") for end in ("", "_low", "_high"))
    if np.isnan(value).all():
        return False
    clean = 100 * column(comparison, "/variants/clean_accuracy")
    of = column(comparison, "/fault_models/variant")
    models = [text(name) for name in column(comparison, "/fault_models/name")]
    regrets = 100 * column(comparison, "/fault_models/regret")
    if not len(of) == len(models) == len(regrets) or (len(of) and not 0 <= of.min() <= of.max() < len(names)):
        raise Failure(DATA, f"{comparison.filename}: columns of /fault_models do not fit each other")

    width = max(4.8, 1.3 * len(names) + 1)
    figure, axis = plt.subplots(figsize=(width, 4.4))
    places = np.arange(len(names))
    axis.bar(places, value, width=0.6, color=colours_of(len(names)), alpha=0.85)
    errors = np.clip([value - low, high - value], 0, None)
    axis.errorbar(places, value, yerr=errors, fmt="none", ecolor="black", elinewidth=1.3, capsize=5)
    for shape, model in zip("ov^sDPX*", dict.fromkeys(models)):
        rows = [row for row, name in enumerate(models) if name == model]
        axis.plot(of[rows] + 0.37, regrets[rows], shape, color=ORANGE, markersize=5.5, label=model)
    for place, height, top in zip(places, value, np.fmax(value, high)):
        if np.isfinite(height):
            axis.annotate(f"{height:.2f}", (place, max(top, 0)), xytext=(0, 4), textcoords="offset points",
                          ha="center", fontweight="bold")
    name_places(axis, [f"{name}\n{share:.1f} % clean" for name, share in zip(variant_labels(names), clean)], width)
    axis.axhline(0, color="black", linewidth=0.8)
    top = np.nanmax(np.concatenate([value, high, regrets, [0.01]]))
    axis.set_ylim(min(0, np.nanmin(np.concatenate([low, regrets, [0]]))) * 1.1, 1.15 * top)
    axis.set_ylabel("regret [points of accuracy]")
    axis.set_title("Accuracy lost under faults, 95 % intervals", loc="left")
    axis.grid(axis="y", color="#e3e7eb", linewidth=0.8)
    axis.set_axisbelow(True)
    if models:
        axis.legend(title="by fault model", frameon=False, fontsize=9, title_fontsize=9)
    save(figure, target)
    plt.close(figure)
    return True


def draw_protection(comparison, target):
    """Critical bits and memory overhead by variant. False if none is protected."""
    names = [text(name) for name in column(comparison, "/variants/name")]
    overhead = column(comparison, "/variants/protection_overhead")
    if np.isnan(overhead).all():
        return False
    full = column(comparison, "/variants/full_overhead")
    critical, low, high = (100 * column(comparison, f"/variants/critical_bits{end}") for end in ("", "_low", "_high"))
    width = max(4.8, 1.3 * len(names) + 1)
    figure, (above, below) = plt.subplots(2, 1, figsize=(width, 6.2), sharex=True)
    places = np.arange(len(names))
    colours = colours_of(len(names))
    above.bar(places, critical, width=0.6, color=colours, alpha=0.85)
    errors = np.clip([critical - low, high - critical], 0, None)
    above.errorbar(places, critical, yerr=errors, fmt="none", ecolor="black", elinewidth=1.3, capsize=5)
    above.set_ylim(0, 1.18 * max(np.nanmax(np.concatenate([critical, high, [0]])), 1e-3))
    above.set_ylabel("critical bits [%]")
    tolerance = column(comparison, "/variants/tolerance")
    limits = sorted({f"{100 * value:g}" for value in tolerance if np.isfinite(value)})
    above.set_title(f"Critical bits of the weights, tolerated drop {', '.join(limits)} %", loc="left")
    below.bar(places, overhead, width=0.6, color=colours, alpha=0.85)
    for place, level in zip(places, full):
        below.plot([place - 0.38, place + 0.38], [level, level], color="black", linewidth=1.2, linestyle="--",
                   label="single-error correction of every parameter" if place == 0 else None)
    below.set_ylim(0, 1.3 * max(np.nanmax(np.concatenate([overhead, full, [0]])), 1e-3))
    below.set_ylabel("extra memory [% of the weights]")
    below.set_title("Memory overhead of the protection chosen", loc="left")
    below.legend(frameon=False, fontsize=9, loc="upper right")
    for axis, values, tops, decimals in ((above, critical, np.fmax(critical, high), 3), (below, overhead, overhead, 2)):
        for place, value, top in zip(places, values, tops):
            if np.isfinite(value):
                axis.annotate(f"{value:.{decimals}f}", (place, top), xytext=(0, 4), textcoords="offset points",
                              ha="center", fontweight="bold")
        axis.grid(axis="y", color="#e3e7eb", linewidth=0.8)
        axis.set_axisbelow(True)
    name_places(below, variant_labels(names), width)
    save(figure, target)
    plt.close(figure)
    return True


def draw_weights(comparison, target):
    """Density of the weights, a line for each variant. False if there are none."""
    names = [text(name) for name in column(comparison, "/variants/name")]
    edges = column(comparison, "/weights/edges")
    counts = column(comparison, "/weights/counts").astype(np.float64)
    magnitude = column(comparison, "/variants/mean_magnitude")
    if counts.shape != (len(names), edges.size - 1) or magnitude.shape != (len(names),):
        raise Failure(DATA, f"{comparison.filename}: /weights/counts is not [variants, bins]")
    totals = counts.sum(axis=1)
    if not totals.any():
        return False
    figure, axis = plt.subplots(figsize=(6.6, 5))
    for name, row, total, mean, colour in zip(names, counts, totals, magnitude, colours_of(len(names))):
        if total:
            # The outer bins also hold what lies beyond: no density.
            axis.stairs(row[1:-1] / total / np.diff(edges)[1:-1], edges[1:-1], color=colour, linewidth=1.5,
                        label=f"{name}, mean |w| = {mean:.4f}")
    axis.set_yscale("log")
    axis.set_xlim(edges[1], edges[-2])
    axis.set_xlabel("weight")
    axis.set_ylabel("density")
    axis.set_title("Weights of all convolutions and linear layers", loc="left")
    axis.grid(color="#e3e7eb", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncol=2)
    save(figure, target)
    plt.close(figure)
    return True


def draw_comparison(folder):
    """The figures of a job with variants."""
    with open_file(folder / "comparison.h5", "comparison") as comparison:
        figures = folder / "figures"
        figures.mkdir(exist_ok=True)
        draw_regret(comparison, figures / "regret.png")
        draw_protection(comparison, figures / "protection.png")
        draw_weights(comparison, figures / "weights.png")


def main(arguments):
    parser = argparse.ArgumentParser(prog="figures.py", description="Draw the figures of a flipstorm job.")
    parser.add_argument("folder", type=pathlib.Path, metavar="OUT_FOLDER", help="out folder of the job")
    parser.add_argument("--campaign", type=pathlib.Path, metavar="FILE", help="instead of OUT_FOLDER/campaign.h5")
    parser.add_argument("--forest", type=pathlib.Path, metavar="FILE", help="instead of OUT_FOLDER/forest.h5")
    parser.add_argument("--memory", type=pathlib.Path, metavar="FILE", help="draw figures/ber.png of a memory.h5, too")
    parser.add_argument("--comparison", action="store_true", help="draw OUT_FOLDER/comparison.h5 (variants of a job)")
    parser.add_argument("--fields", action="append", default=[], type=fields_of, metavar="FORMAT=NAME:BITS,...",
                        help="fields of the words of a number format, from the top, to be marked (flipstorm names those of its own)")
    parser.add_argument("--check", action="store_true", help="open and check the files, draw nothing")
    try:
        options = parser.parse_args(arguments)
    except SystemExit as end:
        return USAGE if end.code else 0
    plt.rcParams.update(STYLE)
    try:
        if options.comparison:
            draw_comparison(options.folder)
            return 0
        with open_file(options.campaign or options.folder / "campaign.h5", "campaign") as campaign, \
                open_file(options.forest or options.folder / "forest.h5", "forest") as forest, \
                open_file(options.folder / "protection.h5", "protection") as protection:
            if options.check:
                return 0
            figures = options.folder / "figures"
            figures.mkdir(exist_ok=True)
            draw_criticality(campaign, forest, dict(options.fields), figures / "criticality.png")
            draw_roc(forest, figures / "roc.png")
            draw_overhead(protection, figures / "overhead.png")
            draw_pareto(protection, figures / "pareto.png")
        if options.memory:
            with open_file(options.memory, "memory") as memory:
                draw_ber(memory, options.folder / "figures" / "ber.png")
    except Failure as failure:
        print(f"figures.py: {failure}", file=sys.stderr)
        return failure.code
    except OSError as error:
        print(f"figures.py: {error}", file=sys.stderr)
        return IO
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
