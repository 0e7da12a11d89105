#!/usr/bin/env python3
"""Whether a rebuilt program makes the files that it made before, bit for bit: what guards a move of code.

    same_results.py make PROGRAM FOLDER          small jobs of every kind, with that program; a minute or two
    same_results.py compare FOLDER OTHER         every dataset of their HDF5 files, byte by byte
    same_results.py resume PROGRAM FOLDER OTHER  goes on in OTHER with half of the journals in FOLDER, and with its
                                                 files, then compares

Make FOLDER with the program as it was before the first move (git worktree add ../before COMMIT), on the same machine:
kernels for other instruction sets round otherwise. Exit codes: 0 the same, 1 not, 64 usage.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "pipeline"))
import pipeline

JOB = """
[job]
name = "same-results"
[data]
kind = "synthetic"
train_images = 1200
test_images = 600
[train]
epochs = 1
[campaign]
scheme = "data_unaware"
tolerances = [0.01, 0.05]
journal_seconds = 0
[forest]
trees = 10
folds = 3
[device]
kind = "cpu"
threads = 1
"""

LENET5, RESNET20 = {"model.arch": "lenet5"}, {"model.arch": "resnet20"}
MODELS = {"lenet5": LENET5, "resnet20": {**RESNET20, "data.train_images": 600, "train.epochs": 2}}

# name: model, ranks, stages, keys
JOBS = {
    "screened": ("lenet5", 1, "inject forest harden", {"campaign.limit": 2000}),
    "two-ranks": ("lenet5", 2, "inject forest harden", {"campaign.limit": 2000}),
    "exact": ("lenet5", 1, "inject", {"campaign.evaluation": "exact", "campaign.limit": 1000}),
    "libtorch": ("lenet5", 1, "inject", {"campaign.backend": "libtorch", "campaign.limit": 400}),
    "reference": ("lenet5", 1, "inject", {"campaign.evaluation": "reference", "campaign.limit": 160}),
    "stuck-at": ("lenet5", 1, "inject", {"campaign.fault_model": "stuck_at_0", "campaign.limit": 600}),
    "adjacent": (
        "lenet5",
        1,
        "inject",
        {
            "campaign.fault_model": "adjacent_bits",
            "campaign.upset_bits": 2,
            "campaign.limit": 600,
            "campaign.scheme": "layer_wise",
        },
    ),
    "data-aware": ("lenet5", 2, "inject", {"campaign.scheme": "data_aware", "campaign.error_margin": 0.2}),
    "iterative": (
        "lenet5",
        2,
        "inject",
        {"campaign.scheme": "layer_wise", "campaign.pilot": 100, "campaign.error_margin": 0.05},
    ),
    "feature-maps": (
        "lenet5",
        2,
        "inject",
        {"campaign.target": "feature_maps", "campaign.scheme": "layer_wise", "campaign.limit": 600},
    ),
    "instructions": (
        "lenet5",
        1,
        "inject",
        {"campaign.target": "instructions", "campaign.scheme": "layer_wise", "campaign.limit": 600},
    ),
    "feature-maps-libtorch": (
        "lenet5",
        1,
        "inject",
        {
            "campaign.target": "feature_maps",
            "campaign.scheme": "layer_wise",
            "campaign.limit": 200,
            "campaign.backend": "libtorch",
        },
    ),
    "resnet20-screened": ("resnet20", 2, "inject", {"data.test_images": 200, "campaign.limit": 800}),
    "resnet20-exact": (
        "resnet20",
        1,
        "inject",
        {
            "data.test_images": 200,
            "campaign.scheme": "layer_wise",
            "campaign.limit": 300,
            "campaign.evaluation": "exact",
        },
    ),
    "resnet20-libtorch": (
        "resnet20",
        1,
        "inject",
        {
            "data.test_images": 100,
            "campaign.scheme": "layer_wise",
            "campaign.limit": 100,
            "campaign.backend": "libtorch",
        },
    ),
    "resnet20-maps": (
        "resnet20",
        1,
        "inject",
        {
            "data.test_images": 200,
            "campaign.target": "feature_maps",
            "campaign.scheme": "layer_wise",
            "campaign.limit": 300,
        },
    ),
}

# What a run measures, rather than finds: attributes are not compared, and no dataset holds a time but these.
TIMES = ("/training/seconds",)

# What later versions write, too.
NEW = ("/layers/tensor",)


def run(program, stage, job, out, ranks, keys):
    command = [program, stage, job, "--out", out, "--quiet"]
    for key, value in keys.items():
        command += ["--set", f"{key}={value}"]
    if ranks > 1:
        command = ["mpirun", "--oversubscribe", "-n", str(ranks), *command]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nexit code {done.returncode}\n{done.stderr}")


def make(program, folder):
    """Models, then campaigns on them."""
    folder.mkdir(parents=True)
    job = folder / "job.toml"
    job.write_text(JOB)
    for name, keys in MODELS.items():
        run(program, "train", job, folder / name, 1, keys)
    inject(program, folder)


def inject(program, folder):
    for name, (model, ranks, stages, keys) in JOBS.items():
        keys = {**MODELS[model], "model.file": folder / model / "model.h5", **keys}
        for stage in stages.split():
            run(program, stage, folder / "job.toml", folder / name, ranks, keys)
        print(f"made {name}", flush=True)


def datasets(file):
    """The bytes of every dataset by its path."""
    return {path: (str(value.dtype), value.shape, value.tobytes()) for path, value in pipeline.datasets(file).items()}


def compare(folder, other):
    """How many files differ; prints where."""
    files = sorted(file.relative_to(folder) for file in folder.rglob("*.h5"))
    different = 0
    for file in files:
        if not (other / file).exists():
            print(f"{file}: only in {folder}")
            different += 1
            continue
        want, got = datasets(folder / file), datasets(other / file)
        paths = [path for path in sorted({*want, *got}) if want.get(path) != got.get(path)
                 and path not in TIMES and not (path in NEW and path not in want)]
        different += bool(paths)
        if paths:
            print(f"{file}: {len(paths)} of {len(want)} datasets differ: {', '.join(paths[:8])}")
    print(f"{len(files) - different} of {len(files)} files have the same datasets")
    return different


def resume(program, folder, other):
    """A copy without campaigns and with half of the segments; forests and protections stay and are read."""
    shutil.copytree(folder, other)
    for name in JOBS:
        (other / name / "campaign.h5").unlink()
        for segment in sorted((other / name / "journal").glob("*.segment"))[::2]:
            segment.unlink()
    inject(program, other)
    return compare(folder, other)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, arguments in {
        "make": ("program", "folder"),
        "compare": ("folder", "other"),
        "resume": ("program", "folder", "other"),
    }.items():
        command = commands.add_parser(name)
        for argument in arguments:
            command.add_argument(argument, type=pathlib.Path)
    try:
        given = parser.parse_args()
    except SystemExit as end:
        sys.exit(64 if end.code else 0)
    if given.command == "make":
        make(given.program.resolve(), given.folder.resolve())
        different = 0
    elif given.command == "compare":
        different = compare(given.folder, given.other)
    else:
        different = resume(given.program.resolve(), given.folder.resolve(), given.other.resolve())
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
