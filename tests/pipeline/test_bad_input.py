#!/usr/bin/env python3
"""Whatever is wrong with the input ends in the right exit code and a message that says so, and nothing that
was there is lost."""

import concurrent.futures
import gzip
import os
import pathlib
import re
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pipeline
from pipeline import COMPLETE, DATA, IO, USAGE, PipelineTest, digests

SCHEMA_MD = pathlib.Path(__file__).parents[2] / "hdf5_schema" / "SCHEMA.md"
JOB = """
[job]
name = "bad-input"
out = "{folder}/out"
[data]
kind = "idx"
path = "{folder}/data"
test_images = 80
[train]
epochs = 1
[campaign]
limit = 100
tolerances = [0.01, 0.05]
[forest]
trees = 5
folds = 2
[device]
kind = "cpu"
"""

# Commands; {f} is the folder of the case.
TRAIN = "train {f}/job.toml --out {f}/new"
INJECT = "inject {f}/job.toml --out {f}/new --set model.file={f}/out/model.h5"
FOREST = "forest {f}/job.toml --out {f}/new --set model.file={f}/out/model.h5 --set forest.campaign={f}/out/campaign.h5"
HARDEN = "harden {f}/job.toml --out {f}/new --set forest.campaign={f}/out/campaign.h5 --set harden.forest={f}/out/forest.h5"
IN_PLACE = "inject {f}/job.toml"

TRAIN_IMAGES = "data/train-images-idx3-ubyte.gz"
TRAIN_LABELS = "data/train-labels-idx1-ubyte"
TEST_IMAGES = "data/t10k-images-idx3-ubyte"
TEST_LABELS = "data/t10k-labels-idx1-ubyte.gz"
MODEL = "out/model.h5"
CAMPAIGN = "out/campaign.h5"
FOREST_FILE = "out/forest.h5"


# What can be done to a file of a case: functions of the folder.
def nothing(_folder):
    pass


def all_of(*changes):
    def change(folder):
        for each in changes:
            each(folder)

    return change


def remove(name):
    def change(folder):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def write(name, content):
    return lambda folder: (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def append(name, text):
    return lambda folder: write(name, (folder / name).read_bytes() + text.encode())(folder)


def truncate(name, share=0.5):
    def change(folder):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])

    return change


def make_folder(name):
    return lambda folder: (folder / name).mkdir()


def edit_idx(name, edit):
    """Change the unpacked bytes of an IDX file."""

    def change(folder):
        path = folder / name
        packed = name.endswith(".gz")
        content = bytearray(gzip.decompress(path.read_bytes()) if packed else path.read_bytes())
        content = bytes(edit(content))
        path.write_bytes(gzip.compress(content) if packed else content)

    return change


def put(offset, value):
    def edit(content):
        content[offset:offset + len(value)] = value
        return content

    return edit


def another_model(file):
    """Other weights, and no claim to be the model that the campaign was made with."""
    file["/parameters/fc2.bias"][0] = 0.125
    file.attrs.modify("model_sha256", np.bytes_(b"\0"))


def edit_h5(name, edit):
    def change(folder):
        with pipeline.edited(folder / name) as file:
            edit(file)

    return change


def replace_column(path, values):
    """Put other values, and another length, into a column; its attributes stay."""

    def edit(file):
        old = file[path]
        new, attributes = values(old[:]), dict(old.attrs)
        del file[path]
        file[path] = new
        for key, value in attributes.items():
            file[path].attrs[key] = value

    return edit


def set_element(path, index, value):
    def edit(file):
        file[path][index] = value

    return edit


def damage_chunk(name, path):
    """Flip bytes in the middle of the first stored chunk of a dataset."""

    def change(folder):
        with h5py.File(folder / name, "r") as file:
            _, stored = file[path].id.read_direct_chunk((0,) * file[path].ndim)
            address = file[path].id.get_chunk_info(0).byte_offset
            user_block = file.userblock_size
        content = bytearray((folder / name).read_bytes())
        # Versions of HDF5 differ in whether an address counts from behind the user block.
        first = next(at for at in (address, address + user_block) if content[at:at + len(stored)] == stored)
        middle = first + len(stored) // 2
        content[middle:middle + 8] = bytes(byte ^ 0x5A for byte in content[middle:middle + 8])
        (folder / name).write_bytes(content)
        pipeline.seal(folder / name)

    return change


def flip(name, share):
    """Flip one bit, and leave the seal as it is."""

    def change(folder):
        content = bytearray((folder / name).read_bytes())
        content[int(share * len(content))] ^= 0x10
        (folder / name).write_bytes(content)

    return change


def make_old(name, minor):
    """As a version of flipstorm without seals wrote it."""

    def change(folder):
        with h5py.File(folder / name, "r+") as file:
            file.attrs.modify("version", np.array([1, minor], np.int32))
        (folder / name).write_bytes((folder / name).read_bytes()[512:])

    return change


def replace_graph(text):
    def edit(file):
        attributes = dict(file["/graph"].attrs)
        del file["/graph"]
        file["/graph"] = np.bytes_(text)
        file["/graph"].attrs.update(attributes)

    return edit_h5(MODEL, edit)


def huge_parameter(file):
    """A few bytes that declare 16 GB."""
    del file["/parameters/fc1.weight"]
    file.create_dataset("/parameters/fc1.weight", shape=(4_000_000_000,), dtype=np.float32, chunks=(1024,), compression=4)


def stopped_at(row, drop):
    """An outcome that was stopped at a drop, consistent with its other columns."""

    def edit(file):
        images, golden = int(file.attrs["images"]), int(file.attrs["golden_correct"])
        lost = round(drop * images)
        for column, value in (("evaluated", images), ("correct", golden - lost), ("mismatches", lost), ("nonfinite", 0),
                              ("stopped", 1), ("drop", lost / images)):
            file[f"/outcomes/{column}"][row] = value

    return edit_h5(CAMPAIGN, edit)


def smaller_images(folder):
    """A data set of 20×20 images in place of 28×28."""
    shutil.rmtree(folder / "data")
    pipeline.write_idx_dataset(folder / "data", train=200, test=100, size=20)


def shape_of(name):
    return edit_h5(MODEL, replace_column("/parameters/" + name, lambda old: old.T.copy()))


# (what is wrong, exit code, phrases of the message, command, change)
CASES = [
    # Command line.
    ("no subcommand", USAGE, ["subcommand is required"], "", nothing),
    ("unknown subcommand", USAGE, ["explode"], "explode {f}/job.toml", nothing),
    ("no job file given", USAGE, ["JOB.toml is required"], "inject", nothing),
    ("unknown option", USAGE, ["--frobnicate"], "inject {f}/job.toml --frobnicate", nothing),
    ("deadline is no number", USAGE, ["--deadline", "tomorrow"], "inject {f}/job.toml --deadline tomorrow", nothing),
    ("help", COMPLETE, [], "--help", nothing),
    ("help of a subcommand", COMPLETE, [], "inject --help", nothing),
    ("version", COMPLETE, [], "--version", nothing),
    ("bench of an unknown mode", USAGE, ["--modes", "fast not in"], "bench {f}/job.toml --modes fast", nothing),
    ("import of nothing", IO, ["{f}/model.pt", "No such file"], "import {f}/model.pt {f}/job.toml --to {f}/model.h5", nothing),
    ("import to nowhere", USAGE, ["--to is required"], "import {f}/model.pt {f}/job.toml", nothing),
    # Job file.
    ("no job file", USAGE, ["{f}/none.toml", "No such file"], "inject {f}/none.toml", nothing),
    ("job file is a folder", USAGE, ["{f}/data", "folder"], "inject {f}/data", nothing),
    ("job file is empty", USAGE, ["data.path is missing"], "inject {f}/job.toml", write("job.toml", "")),
    ("job file is binary", USAGE, ["{f}/job.toml:1", "not UTF-8"], "inject {f}/job.toml", write("job.toml", bytes(range(256)))),
    ("job file is a model", USAGE, ["{f}/out/model.h5:", "not UTF-8"], "inject {f}/out/model.h5", nothing),
    ("syntax error", USAGE, ["{f}/job.toml:2", "syntax error"], "inject {f}/job.toml", write("job.toml", "[job]\nname = = 3\n")),
    ("unknown key", USAGE, ["train.epoch", "epochs"], "inject {f}/job.toml",
     lambda folder: write("job.toml", (folder / "job.toml").read_text().replace("epochs", "epoch"))(folder)),
    ("two problems", USAGE, ["'cuda9'|cuda9", "campaign.limit"], "inject {f}/job.toml",
     lambda folder: write("job.toml", (folder / "job.toml").read_text()
                          .replace('"cpu"', '"cuda9"').replace("limit = 100", "limit = -1"))(folder)),
    ("format that is not known", USAGE, ["fp12", "did you mean"], "inject {f}/job.toml --set model.format=fp12", nothing),
    ("format of a layer that is not known", USAGE, ["model.formats.conv1", "int32"],
     "inject {f}/job.toml --set model.formats.conv1=int32", nothing),
    ("override without value", USAGE, ["--set campaign.limit", "table.key=value"], "inject {f}/job.toml --set campaign.limit", nothing),
    ("override of no key", USAGE, ["campaign.limits", "campaign.limit"], "inject {f}/job.toml --set campaign.limits=3", nothing),
    ("override of wrong type", USAGE, ["campaign.limit", "integer", "many"], "inject {f}/job.toml --set campaign.limit=many", nothing),
    ("limit below the strata", USAGE, ["a limit of 3 faults", "campaign.limit", "5 strata"], INJECT + " --set campaign.limit=3", nothing),
    ("no GPU", USAGE, ["device.kind", "no GPU"], INJECT + " --set device.kind=cuda", nothing),
    # Data.
    ("data folder missing", IO, ["data.path", "{f}/data"], INJECT, remove("data")),
    ("data folder empty", IO, ["t10k-images-idx3-ubyte", "{f}/data"], INJECT, all_of(remove("data"), make_folder("data"))),
    ("data folder is a file", IO, ["data.path", "not a folder"], INJECT, all_of(remove("data"), write("data", "x"))),
    ("labels missing", IO, ["t10k-labels-idx1-ubyte", "{f}/data"], INJECT, remove(TEST_LABELS)),
    ("pipe in place of labels", IO, [TEST_LABELS, "it is a pipe"], INJECT,
     all_of(remove(TEST_LABELS), lambda folder: os.mkfifo(folder / TEST_LABELS))),
    ("device in place of images", IO, [TEST_IMAGES, "it is a device"], INJECT,
     all_of(remove(TEST_IMAGES), lambda folder: (folder / TEST_IMAGES).symlink_to("/dev/zero"))),
    ("two splits to choose from", USAGE, ["data.path", "2 IDX data sets", "data/emnist-letters", "data/emnist-digits"], INJECT,
     lambda folder: [file.rename(file.with_name(f"emnist-{('letters', 'digits')[file.name.startswith('train')]}-{file.name}"))
                     for file in list((folder / "data").iterdir())]),
    ("labels below their offset", DATA, ["label 0", TEST_LABELS, "data.label_offset = 1"], INJECT + " --set data.label_offset=1", nothing),
    ("superclasses of another data set", USAGE, ["data.labels", "cifar100"], INJECT + " --set data.labels=coarse", nothing),
    ("truncated gzip", DATA, [TRAIN_IMAGES, "ends|truncated|unexpected end"], TRAIN, truncate(TRAIN_IMAGES)),
    ("gzip cut in its trailer", (DATA, IO), [TRAIN_IMAGES], TRAIN, truncate(TRAIN_IMAGES, 0.999999)),
    ("damaged gzip", IO, [TRAIN_IMAGES, "unpack"], TRAIN,
     lambda folder: write(TRAIN_IMAGES, put(2000, b"\xff" * 50)(bytearray((folder / TRAIN_IMAGES).read_bytes())))(folder)),
    ("file shorter than its header says", DATA, [TEST_IMAGES, "ends after"], INJECT, truncate(TEST_IMAGES)),
    ("file longer than its header says", DATA, [TEST_IMAGES, "longer"], INJECT, append(TEST_IMAGES, "more")),
    ("file ends in its header", DATA, [TEST_IMAGES, "header"], INJECT, edit_idx(TEST_IMAGES, lambda content: content[:9])),
    ("file empty", DATA, [TEST_IMAGES, "no IDX file"], INJECT, write(TEST_IMAGES, "")),
    ("wrong magic", DATA, [TEST_IMAGES, "no IDX file"], INJECT, edit_idx(TEST_IMAGES, put(0, b"P5\n2"))),
    ("values of another type", DATA, [TEST_IMAGES, "0x0d"], INJECT, edit_idx(TEST_IMAGES, put(2, b"\x0d"))),
    ("images with labels' dimensions", DATA, [TEST_IMAGES, "dimension"], INJECT,
     lambda folder: pipeline.write_idx(folder / TEST_IMAGES, np.zeros(100))),
    ("header that announces terabytes", DATA, [TEST_IMAGES], INJECT, edit_idx(TEST_IMAGES, put(4, b"\x00\x00\xff\xff" * 3))),
    ("no images", DATA, [TEST_IMAGES], INJECT, edit_idx(TEST_IMAGES, put(4, b"\x00" * 4))),
    ("fewer labels than images", DATA, ["100 images", "60 labels"], INJECT,
     lambda folder: pipeline.write_idx(folder / TEST_LABELS, np.zeros(60))),
    ("test labels beyond the classes, training", DATA, ["label 77", "test set", "image 20", "0 … 9"], TRAIN,
     edit_idx(TEST_LABELS, put(8 + 20, bytes([77])))),
    ("test labels beyond the classes, injecting", DATA, ["label 77"], INJECT, edit_idx(TEST_LABELS, put(8 + 20, bytes([77])))),
    ("training images of another size", DATA, ["20", "28"], TRAIN,
     lambda folder: pipeline.write_idx(folder / TRAIN_IMAGES, np.zeros((600, 20, 20)))),
    ("CIFAR-10 where there is none", IO, ["data_batch_1.bin", "{f}/data", "cifar-10-batches-bin"], TRAIN + " --set data.kind=cifar10", nothing),
    ("CIFAR-10 cut off", DATA, ["test_batch.bin", "3073 bytes", "record 2", "100 bytes"], INJECT + " --set data.kind=cifar10",
     write("data/test_batch.bin", bytes(2 * 3073 + 100))),
    ("more test images than there are", USAGE, ["data.test_images = 5000", "100 images"], INJECT + " --set data.test_images=5000", nothing),
    ("mean of three channels", USAGE, ["data.mean", "3", "1 channel"], TRAIN + " --set data.mean=[0,0,0] --set data.std=[1,1,1]", nothing),
    # Model.
    ("model missing", IO, [MODEL, "No such file"], INJECT, remove(MODEL)),
    ("model is a folder", IO, [MODEL, "folder"], INJECT, all_of(remove(MODEL), make_folder(MODEL))),
    ("model empty", IO, [MODEL, "HDF5"], INJECT, write(MODEL, "")),
    ("model truncated", IO, [MODEL, "truncated"], INJECT, truncate(MODEL)),
    ("a flipped bit in the model", IO, [MODEL, "damaged", "inspect --seal"], INJECT, flip(MODEL, 0.7)),
    ("a flipped bit in the seal", IO, [MODEL, "damaged"], INJECT, flip(MODEL, 0)),
    ("a model of an older version", COMPLETE, ["version 1.1, which has no seal"], INJECT, make_old(MODEL, 1)),
    ("an older model with a damaged superblock", IO, [MODEL], INJECT, all_of(make_old(MODEL, 1), flip(MODEL, 0))),
    ("a model without its seal", IO, [MODEL, "has no seal", "version 1.2", "inspect --seal"], INJECT, make_old(MODEL, 2)),
    ("brackets within brackets", DATA, [MODEL, "nested"], INJECT, replace_graph(b"[" * 1000000)),
    ("a pad beyond all memory", DATA, [MODEL, "its output has shape"], INJECT,
     replace_graph(b'[{"name": "input", "op": "input", "inputs": [], "shape": [1, 28, 28]}, {"name": "p", "op": "pad", "channels_before": 0, '
                   b'"channels_behind": 0, "top": 1000000, "bottom": 1000000, "left": 1000000, "right": 1000000, "inputs": ["input"], '
                   b'"shape": [1, 2000028, 2000028]}]')),
    ("sixteen gigabytes in a small file", IO, [MODEL, "fc1.weight", "holds none"], INJECT, edit_h5(MODEL, huge_parameter)),
    ("format that is not known in the model", DATA, [MODEL, "fp12"], INJECT,
     edit_h5(MODEL, lambda file: file.attrs.modify("format", np.bytes_("fp12")))),
    ("std without end", DATA, [MODEL, "std inf"], INJECT, edit_h5(MODEL, lambda file: file.attrs.modify("std", np.full(1, np.inf, np.float32)))),
    ("model is no HDF5 file", IO, [MODEL, "HDF5"], INJECT, write(MODEL, "a text\n" * 1000)),
    ("model is a campaign", IO, ["flipstorm/campaign", "flipstorm/model"], "inject {f}/job.toml --out {f}/new --set model.file={f}/out/campaign.h5", nothing),
    ("model is another program's HDF5", IO, [MODEL, "filetype"], INJECT, edit_h5(MODEL, lambda file: file.attrs.__delitem__("filetype"))),
    ("model of another major version", IO, [MODEL, "version 9.0", "1.x"], INJECT,
     edit_h5(MODEL, lambda file: file.attrs.modify("version", np.array([9, 0], np.int32)))),
    ("model of a later minor version", COMPLETE, [], INJECT,
     edit_h5(MODEL, lambda file: file.attrs.modify("version", np.array([1, 7], np.int32)))),
    ("parameter missing", DATA, [MODEL, "conv2.weight"], INJECT, edit_h5(MODEL, lambda file: file.__delitem__("/parameters/conv2.weight"))),
    ("parameter of wrong shape", DATA, [MODEL, "fc2.weight", "120", "84"], INJECT, shape_of("fc2.weight")),
    ("parameter of wrong type", IO, [MODEL, "fc2.weight", "float32"], INJECT,
     edit_h5(MODEL, replace_column("/parameters/fc2.weight", lambda old: old.astype(np.float64)))),
    ("NaN in a parameter", DATA, [MODEL, "fc2.bias", "7", "nan"], INJECT, edit_h5(MODEL, set_element("/parameters/fc2.bias", 7, np.nan))),
    ("infinite normalisation", DATA, [MODEL, "std"], INJECT, edit_h5(MODEL, lambda file: file.attrs.modify("std", np.zeros(1, np.float32)))),
    ("graph is no JSON", DATA, [MODEL, "graph"], INJECT, edit_h5(MODEL, lambda file: file["/graph"].__setitem__((), b"{{{"))),
    ("graph with an unknown operation", DATA, [MODEL, "conv9d"], INJECT,
     edit_h5(MODEL, lambda file: file["/graph"].__setitem__((), file["/graph"][()].replace(b"conv2d", b"conv9d")))),
    ("model for other images", DATA, ["28", "20"], INJECT, smaller_images),
    ("damaged chunk in the model", IO, [MODEL, "fc1.weight"], INJECT, damage_chunk(MODEL, "/parameters/fc1.weight")),
    ("model of another job in the out folder", USAGE, [MODEL, "another job", "--fresh"], "train {f}/job.toml --set train.epochs=2", nothing),
    # Campaign and forest.
    ("campaign missing", IO, [CAMPAIGN, "No such file"], FOREST, remove(CAMPAIGN)),
    ("campaign truncated", IO, [CAMPAIGN, "truncated"], FOREST, truncate(CAMPAIGN)),
    ("campaign is a model", IO, ["flipstorm/model", "flipstorm/campaign"], FOREST, lambda folder: shutil.copy(folder / MODEL, folder / CAMPAIGN)),
    ("campaign without a column", IO, [CAMPAIGN, "/outcomes/drop"], FOREST, edit_h5(CAMPAIGN, lambda file: file.__delitem__("/outcomes/drop"))),
    ("columns of unequal length", IO, [CAMPAIGN, "/faults/bit", "90", "100"], FOREST, edit_h5(CAMPAIGN, replace_column("/faults/bit", lambda old: old[:90]))),
    ("first column of unequal length", IO, [CAMPAIGN, "/faults/", "90", "100"], FOREST, edit_h5(CAMPAIGN, replace_column("/faults/stratum", lambda old: old[:90]))),
    ("layer out of range", IO, [CAMPAIGN, "fault 7", "layer 99"], FOREST, edit_h5(CAMPAIGN, set_element("/faults/layer", 7, 99))),
    ("negative layer", IO, [CAMPAIGN, "fault 7", "layer -1"], FOREST, edit_h5(CAMPAIGN, set_element("/faults/layer", 7, -1))),
    ("parameter out of range", IO, [CAMPAIGN, "fault 7", "parameter"], FOREST, edit_h5(CAMPAIGN, set_element("/faults/parameter", 7, 2**40))),
    ("bit out of range", IO, [CAMPAIGN, "fault 7", "bit 40"], FOREST, edit_h5(CAMPAIGN, set_element("/faults/bit", 7, 40))),
    ("drop is NaN", IO, [CAMPAIGN, "fault 7", "drop"], FOREST, edit_h5(CAMPAIGN, set_element("/outcomes/drop", 7, np.nan))),
    ("drop of 700 %", IO, [CAMPAIGN, "fault 7", "drop of 7"], FOREST, edit_h5(CAMPAIGN, set_element("/outcomes/drop", 7, 7.0))),
    ("a flipped bit in the campaign", IO, [CAMPAIGN, "damaged"], FOREST, flip(CAMPAIGN, 0.98)),
    ("stratum of a layer there is not", IO, [CAMPAIGN, "stratum 2", "layer 99"], FOREST, edit_h5(CAMPAIGN, set_element("/strata/layer", 2, 99))),
    ("layers of no weights", IO, [CAMPAIGN, "layer 2", "weights"], FOREST, edit_h5(CAMPAIGN, set_element("/layers/out_channels", 2, 0))),
    ("damaged chunk in the campaign", IO, [CAMPAIGN, "/faults/value_before"], FOREST, damage_chunk(CAMPAIGN, "/faults/value_before")),
    ("campaign of another model", DATA, [CAMPAIGN, "another model"], FOREST, edit_h5(MODEL, another_model)),
    ("model changed after it was written", DATA, [MODEL, "model_sha256"], INJECT,
     edit_h5(MODEL, lambda file: file["/parameters/fc2.bias"].__setitem__(0, 0.125))),
    ("forest missing", IO, [FOREST_FILE, "No such file"], HARDEN, remove(FOREST_FILE)),
    ("forest is a campaign", IO, ["flipstorm/campaign", "flipstorm/forest"], HARDEN, lambda folder: shutil.copy(folder / CAMPAIGN, folder / FOREST_FILE)),
    ("damaged chunk in the forest", IO, [FOREST_FILE, "/criticality/fc1"], HARDEN, damage_chunk(FOREST_FILE, "/criticality/fc1")),
    ("a flipped bit in the forest", IO, [FOREST_FILE, "damaged"], HARDEN, flip(FOREST_FILE, 0.6)),
    ("trees that lie outside the file", IO, [FOREST_FILE, "/forests/offset"], HARDEN,
     edit_h5(FOREST_FILE, set_element("/forests/offset", 1, 10**15))),
    ("forest for another tolerance", USAGE, ["harden.tolerance is 0.05", "0.01"], HARDEN + " --set harden.tolerance=0.05", nothing),
    ("forest without a layer", DATA, ["4 layers, the campaign 5"], HARDEN, edit_h5(FOREST_FILE, lambda file: file.__delitem__("/criticality/fc1"))),
    ("forest of another campaign", DATA, [FOREST_FILE, CAMPAIGN, "another campaign"], HARDEN,
     edit_h5(FOREST_FILE, lambda file: file.attrs.modify("campaign_sha256", np.bytes_("0" * 64)))),
    ("tolerance beyond the campaign's", DATA, ["0.5"], FOREST + " --set forest.tolerances=[0.5] --set harden.tolerance=0.5",
     stopped_at(7, 0.1)),
    ("report without a protection", IO, ["protection.h5", "No such file"], "report {f}/job.toml", remove("out/protection.h5")),
    ("inspect of a file that is not there", IO, ["{f}/none.h5"], "inspect {f}/none.h5", nothing),
    ("inspect of a text", IO, ["{f}/job.toml", "HDF5"], "inspect {f}/job.toml", nothing),
    ("inspect of a damaged file", IO, [CAMPAIGN, "damaged"], "inspect {f}/out/campaign.h5", flip(CAMPAIGN, 0.5)),
    ("seal for a text", IO, ["{f}/job.toml", "HDF5"], "inspect --seal {f}/job.toml", nothing),
    ("seal for what cannot be", IO, [CAMPAIGN, "fault 7", "drop of 7"], "inspect --seal {f}/out/campaign.h5",
     all_of(edit_h5(CAMPAIGN, set_element("/outcomes/drop", 7, 7.0)), flip(CAMPAIGN, 0))),
    ("seal for no network", DATA, [MODEL, "std inf"], "inspect --seal {f}/out/model.h5",
     edit_h5(MODEL, lambda file: file.attrs.modify("std", np.full(1, np.inf, np.float32)))),
    # What is there already.
    ("campaign of another job in the out folder", USAGE, [CAMPAIGN, "another job", "--fresh"], IN_PLACE + " --set job.seed=2 --set model.file={f}/out/model.h5", nothing),
    ("journal of another job in the out folder", USAGE, ["out/journal", "another job", "--fresh"],
     IN_PLACE + " --set campaign.limit=90", remove(CAMPAIGN)),
    ("truncated campaign in the out folder", IO, [CAMPAIGN, "truncated"], IN_PLACE, truncate(CAMPAIGN)),
    ("out folder is a file", IO, ["{f}/new"], INJECT, write("new", "precious")),
    ("out folder below a file", IO, ["{f}/job.toml/new"], INJECT.replace("{f}/new", "{f}/job.toml/new"), nothing),
    ("journal is a file", IO, ["new/journal"], INJECT, all_of(make_folder("new"), write("new/journal", "precious"))),
    ("fresh, but the images do not fit", DATA, ["28", "20"], IN_PLACE + " --fresh --set model.file={f}/out/model.h5", smaller_images),
    ("fresh, but no model", IO, ["none.h5", "No such file"], IN_PLACE + " --fresh --set model.file={f}/none.h5", nothing),
    ("campaign.h5 is a folder", IO, ["new/campaign.h5"], INJECT, all_of(make_folder("new"), make_folder("new/campaign.h5"))),
]


class BadInput(PipelineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.base = cls.folder / "base"
        pipeline.write_idx_dataset(cls.base / "data", train=600, test=100)
        (cls.base / "job.toml").write_text(JOB.format(folder=cls.base))
        cls.complete("run", cls.base / "job.toml")

    def case_folder(self, name):
        folder = self.folder / "cases" / "".join(c if c.isalnum() else "-" for c in name)
        pipeline.copy_folder(self.base, folder)
        (folder / "job.toml").write_text(JOB.format(folder=folder))
        return folder

    def run_case(self, case):
        name, _, _, command, change = case
        folder = self.case_folder(name)
        change(folder)
        before = digests(folder)
        result = self.run_flipstorm(*command.format(f=folder).split(), seconds=120)
        return folder, result, before, digests(folder)

    def check_case(self, case, outcome):
        _, code, phrases, _, _ = case
        folder, result, before, after = outcome
        codes = code if isinstance(code, tuple) else (code,)
        self.assertIn(result.code, codes, f"exit code {code} expected\n{result}")
        for alternatives in phrases:
            found = [text for text in alternatives.format(f=folder).split("|") if text in result.err]
            self.assertTrue(found, f"'{alternatives}' is not in the message\n{result}")
        if code != COMPLETE:
            self.assertEqual(sum(line.startswith("flipstorm") for line in result.err.splitlines()), 1, str(result))
        for text in ("HDF5-DIAG", "terminate called", "what():", "Exception raised from"):
            self.assertNotIn(text, result.err, str(result))
        self.assertEqual({name: after.get(name) for name in before}, before, f"a file was lost or changed\n{result}")

    def test_cases(self):
        names = [case[0] for case in CASES]
        self.assertEqual(len(set(names)), len(names))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            outcomes = [pool.submit(self.run_case, case) for case in CASES]
            for case, pending in zip(CASES, outcomes):
                with self.subTest(case[0]):
                    outcome = pending.result()
                    if os.environ.get("FLIPSTORM_TEST_SHOW"):
                        print(f"{case[0]}: {outcome[1].code}: {outcome[1].err.replace(str(outcome[0]), 'F')}")
                    self.check_case(case, outcome)

    def test_changed_files_are_sealed_anew(self):
        folder = self.case_folder("sealed anew")
        campaign, job = folder / CAMPAIGN, folder / "job.toml"
        with h5py.File(campaign, "r+") as file:
            file.attrs.modify("wall_seconds", 1e9)
        self.assert_code(self.run_flipstorm("inspect", campaign), IO)
        self.complete("inspect", "--seal", campaign)
        self.assertIn("/@wall_seconds = 1000000000", self.complete("inspect", campaign).out)
        make_old(MODEL, 1)(folder)
        self.assertIn("has no seal", self.complete("inspect", folder / MODEL).err)
        self.complete("inspect", "--seal", folder / MODEL)
        self.assertNotIn("no seal", self.complete("inject", job, "--out", folder / "new", "--set", f"model.file={folder / MODEL}").err)

    def test_five_lines_of_python_check_the_seal(self):
        section = SCHEMA_MD.read_text(encoding="utf-8").split("\n## The seal\n")[1].split("\n## ")[0]
        (lines,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
        self.assertLessEqual(len(lines.split("\n\n")[1].splitlines()), 5)
        folder = self.case_folder("five lines of Python")
        check = [sys.executable, "-c", lines]
        for name in (MODEL, CAMPAIGN, FOREST_FILE, "out/protection.h5"):
            self.assertEqual(subprocess.run([*check, folder / name], check=False).returncode, 0, name)
            flip(name, 0.5)(folder)
            done = subprocess.run([*check, folder / name], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, "not right" in done.stderr), (1, True), name)


if __name__ == "__main__":
    pipeline.main()
