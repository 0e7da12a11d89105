#!/usr/bin/env python3
"""figures.py on small files: draws four figures, and says what is wrong with files that cannot be.

test_figures.py FIGURES_PY. Exit codes: 0 passed, 77 h5py or matplotlib is missing.
"""

import pathlib
import subprocess
import sys
import tempfile

try:
    import h5py
    import matplotlib.image
    import numpy as np
except ImportError as missing:
    print(f"skipped: needs h5py and matplotlib ({missing})")
    sys.exit(77)


def write_job(folder, layers=("conv1", "fc1"), bits=8, word="fxp8", trained=True, calibrated=True, planned=True):
    """Files with what the figures read, as SCHEMA.md lays it out."""
    random = np.random.default_rng(1)
    with h5py.File(folder / "campaign.h5", "w") as file:
        file.attrs["filetype"] = np.bytes_("flipstorm/campaign")
        file.attrs["job"] = np.bytes_(f'[model]\nformat = "{word}"\n')
        file["/layers/name"] = np.array(layers, dtype="S16")
        file["/layers/word_bits"] = np.full(len(layers), bits, np.int32)
        file["/faults/layer"] = random.integers(0, len(layers), 500).astype(np.int32)
        file["/faults/bit"] = random.integers(0, bits - 1, 500).astype(np.uint8)  # none in the sign
        file["/outcomes/drop"] = random.random(500) * 0.01
    with h5py.File(folder / "forest.h5", "w") as file:
        file.attrs["filetype"] = np.bytes_("flipstorm/forest")
        file.attrs["tolerance"] = 0.005
        file["/tolerances"] = np.array([0.005, 0.01])
        file["/scores/auc_test"] = np.array([0.98, 0.99]) if trained else np.full(2, np.nan)
        points = np.linspace(0, 1, 11) if trained else np.empty(0)
        file["/roc/false_positive_rate"] = points
        file["/roc/true_positive_rate"] = points**0.1
        for name in layers:
            file[f"/criticality/{name}"] = random.integers(0, 256, (30, bits)).astype(np.uint8)
            if calibrated:
                file[f"/level/{name}"] = random.integers(0, 256, (30, bits)).astype(np.uint8)
        if calibrated:
            file["/calibration/probability"] = np.linspace(0, 1, 256) ** 3
    with h5py.File(folder / "protection.h5", "w") as file:
        file.attrs["filetype"] = np.bytes_("flipstorm/protection")
        group = file.create_group("overhead")
        for name, value in zip(("all_parameters", "critical_parameters", "signature", "gain"), (50, 0.6, 12.5, 73.8)):
            group.attrs[name] = float(value)
        file["/options/scheme"] = np.array(["none", "sec_critical", "sec_critical", "optimized"][:3 + planned], "S16")
        file["/options/threshold"] = np.array([np.nan, 0.5, 0.9, np.nan])[:3 + planned]
        file["/options/total_overhead"] = np.array([0, 13.1, 12.7, 1.5])[:3 + planned]
        file["/options/predicted_residual"] = np.array([0.01, 1e-5, 2e-4, 0])[:3 + planned]
        if planned:
            file["/front/overhead"] = np.array([0, 0.5, 1.5])
            file["/front/predicted_residual"] = np.array([0.008, 1e-4, 0])


def write_comparison(folder, names=("baseline", "relu6"), regret=True, protection=True):
    """A comparison.h5 as SCHEMA.md lays it out, as far as the figures read it."""
    random = np.random.default_rng(2)
    count = len(names)
    with h5py.File(folder / "comparison.h5", "w") as file:
        file.attrs["filetype"] = np.bytes_("flipstorm/comparison")
        file["/variants/name"] = np.array([name.encode() for name in names])
        for name, measured in (("regret", regret), ("critical_bits", protection)):
            value = random.random(count) if measured else np.full(count, np.nan)
            for end, shift in (("", 0), ("_low", -0.1), ("_high", 0.1)):
                file[f"/variants/{name}{end}"] = value + shift
        overhead = random.random(count) * 10 if protection else np.full(count, np.nan)
        overhead[0] = np.nan  # one variant may have none
        file["/variants/protection_overhead"] = overhead
        file["/variants/full_overhead"] = overhead + 8
        file["/variants/tolerance"] = np.full(count, 0.005)
        file["/variants/clean_accuracy"] = random.random(count)
        file["/variants/mean_magnitude"] = random.random(count)
        models = [b"line", b"block"] if regret else []
        file["/fault_models/name"] = np.array(models * count, "S8")
        file["/fault_models/variant"] = np.repeat(np.arange(count), len(models)).astype(np.int32)
        file["/fault_models/regret"] = random.random(count * len(models))
        file["/weights/edges"] = np.linspace(-1, 1, 102)
        file["/weights/counts"] = random.integers(0, 100, (count, 101)).astype(np.uint64)


def check_comparison(program):
    for case, figures in (
        ({}, {"regret", "protection", "weights"}),
        ({"regret": False}, {"protection", "weights"}),
        ({"protection": False, "names": ("one",)}, {"regret", "weights"}),
        ({"names": tuple(f"a-very-long-name-{i}" for i in range(9))}, {"regret", "protection", "weights"}),
    ):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            write_comparison(folder, **case)
            result = run(program, folder, "--comparison")
            expect(result.returncode == 0 and not result.stderr, f"comparison of {case}", result)
            drawn = {file.stem for file in (folder / "figures").iterdir()}
            expect(drawn == figures, f"figures of {case}: {drawn}", result)
            for figure in drawn:
                image = matplotlib.image.imread(folder / "figures" / f"{figure}.png")
                expect(image.shape[0] > 300 and image[..., :3].std() > 0.05, f"{figure}.png of {case}", result)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        result = run(program, folder, "--comparison")
        expect(result.returncode == 74 and "comparison.h5: no such file" in result.stderr, "no comparison", result)
        write_comparison(folder)
        with h5py.File(folder / "comparison.h5", "a") as file:
            file["/fault_models/variant"][0] = 7
        result = run(program, folder, "--comparison")
        expect(result.returncode == 65 and "/fault_models do not fit" in result.stderr, "wrong row", result)


def check_memory(program):
    """Accuracy under a bit error rate."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_job(folder)
        with h5py.File(folder / "memory.h5", "w") as file:
            file.attrs["filetype"] = np.bytes_("flipstorm/memory")
            file.attrs["images"] = 100
            file.attrs["golden_correct"] = np.array([90, 89])
            file["/ber"] = np.array([1e-6, 1e-3])
            file["/trials/rate"] = np.repeat([0, 1], 20).astype(np.int32)
            file["/trials/protected"] = np.tile([0, 1], 20).astype(np.uint8)
            file["/trials/correct"] = np.where(np.arange(40) < 20, 89, 30 + np.arange(40)).astype(np.uint32)
        result = run(program, folder, "--memory", folder / "memory.h5")
        expect(result.returncode == 0 and not result.stderr, "figure of memories", result)
        image = matplotlib.image.imread(folder / "figures" / "ber.png")
        expect(image.shape[0] > 300 and image[..., :3].std() > 0.05, "ber.png", result)
        with h5py.File(folder / "memory.h5", "a") as file:
            del file["/trials/correct"]
            file["/trials/correct"] = np.zeros(3, np.uint32)
        result = run(program, folder, "--memory", folder / "memory.h5")
        expect(result.returncode == 65 and "/trials do not fit" in result.stderr, "torn trials", result)


FIELDS = ("--fields", "fp32=sign:1,exponent:8,mantissa:23", "--fields", "fxp8=sign:1,fraction:7")


def run(program, folder, *options):
    return subprocess.run([sys.executable, "-B", program, str(folder), *map(str, options)], capture_output=True, text=True)


def expect(condition, what, result):
    if not condition:
        sys.exit(f"FAILED: {what}\nexit code {result.returncode}\n{result.stdout}{result.stderr}")


def check_shares(program):
    """The heat map's numbers, of levels and of the votes of older files."""
    sys.path.insert(0, str(pathlib.Path(program).parent))
    from figures import predicted_shares

    with tempfile.TemporaryDirectory() as name:
        for calibrated in (True, False):
            write_job(pathlib.Path(name), calibrated=calibrated)
            with h5py.File(pathlib.Path(name) / "forest.h5") as forest:
                found = predicted_shares(forest, ["conv1", "fc1"], 8)
                for row, layer in enumerate(("conv1", "fc1")):
                    meaning = forest["/calibration/probability"][:] if calibrated else np.arange(256) / 255
                    map_of_bits = forest[f"/level/{layer}" if calibrated else f"/criticality/{layer}"][:]
                    np.testing.assert_allclose(found[row], 100 * meaning[map_of_bits].mean(axis=0), rtol=1e-12)


def main(program):
    check_comparison(program)
    for case in ({}, {"bits": 32, "word": "fp32"}, {"trained": False}, {"word": "unknown"}, {"calibrated": False},
                 {"planned": False}, {"layers": tuple(f"l{i}" for i in range(30))}):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            write_job(folder, **case)
            result = run(program, folder, "--check")
            expect(result.returncode == 0 and not (folder / "figures").exists(), f"check of {case}", result)
            plain = run(program, folder)
            expect(plain.returncode == 0 and not plain.stderr, f"figures of {case} without fields", plain)
            unmarked = (folder / "figures" / "criticality.png").read_bytes()
            result = run(program, folder, *FIELDS)
            expect(result.returncode == 0 and not result.stderr, f"figures of {case}", result)
            marked = (folder / "figures" / "criticality.png").read_bytes()
            expect((marked == unmarked) == (case.get("word") == "unknown"), f"marks of {case}", result)
            for figure in ("criticality", "roc", "overhead", "pareto"):
                image = matplotlib.image.imread(folder / "figures" / f"{figure}.png")
                expect(image.shape[0] > 300 and image[..., :3].std() > 0.05, f"{figure}.png of {case}", result)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        result = run(program, folder)
        expect(result.returncode == 74 and "no such file" in result.stderr, "missing file", result)
        for wrong in ("fp32", "fp32=sign", "fp32=sign:one"):
            result = run(program, folder, "--fields", wrong)
            expect(result.returncode == 64 and "--fields" in result.stderr, f"fields {wrong}", result)
        write_job(folder)
        (folder / "forest.h5").write_bytes(b"no HDF5")
        result = run(program, folder)
        expect(result.returncode == 74 and "forest.h5: not a readable HDF5 file" in result.stderr, "torn file", result)
        (folder / "forest.h5").write_bytes((folder / "campaign.h5").read_bytes())
        result = run(program, folder)
        expect(result.returncode == 65 and "not 'flipstorm/forest'" in result.stderr, "wrong type", result)
        write_job(folder)
        with h5py.File(folder / "forest.h5", "a") as file:
            del file["/level/fc1"]
        result = run(program, folder)
        expect(result.returncode == 65 and "no data set /level/fc1" in result.stderr, "missing layer", result)
        write_job(folder, calibrated=False)
        with h5py.File(folder / "forest.h5", "a") as file:
            del file["/criticality/fc1"]
        result = run(program, folder)
        expect(result.returncode == 65 and "no data set /criticality/fc1" in result.stderr, "missing layer", result)
        write_job(folder)
        with h5py.File(folder / "forest.h5", "a") as file:
            del file["/calibration/probability"]
            file["/calibration/probability"] = np.zeros(255)
        result = run(program, folder)
        expect(result.returncode == 65 and "has not 256 values" in result.stderr, "torn calibration", result)
        expect(run(program, folder, "--nonsense").returncode == 64, "unknown option", result)
    check_shares(program)
    check_memory(program)
    print("figures.py: all as expected")


if __name__ == "__main__":
    main(sys.argv[1])
