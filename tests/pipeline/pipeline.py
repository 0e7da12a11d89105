"""What the pipeline tests share: running flipstorm, small data sets, and comparing files.

A test file ends with `pipeline.main()` and is called as

    test_x.py FLIPSTORM MPIEXEC NUMPROC_FLAG [unittest arguments]

Exit codes: 0 passed, 1 failed, 77 a Python module is missing.
"""

import contextlib
import gzip
import hashlib
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"skipped: needs h5py and numpy ({missing}); Debian: apt install python3-h5py")
    sys.exit(77)

COMPLETE, USAGE, DATA, IO, STOPPED = 0, 64, 65, 74, 75

# What SCHEMA.md promises of a campaign.h5; a file may hold more.
CAMPAIGN_DATASETS = {
    "/" + group + "/" + column
    for group, columns in {
        "layers": "name weights out_channels in_channels word_bits injected",
        "strata": "layer bit population planned evaluated",
        "golden": "label top1 margin",
        "screen": "layer level kappa tau audit_share pairs screened audited disagreements bound95 kept",
        "faults": "stratum layer parameter out_channel in_channel bit sign value_before value_after mask effect",
        "outcomes": "evaluated correct mismatches nonfinite stopped drop",
    }.items()
    for column in columns.split()
}

# A job on made-up images, more than are evaluated before a fault may stop. Every layer and bit is struck, so that
# outcomes of all kinds are among few faults.
SYNTHETIC_JOB = """
[job]
name = "pipeline-test"
[data]
kind = "synthetic"
test_images = 600
[train]
epochs = 1
[campaign]
scheme = "data_unaware"
limit = 480
tolerances = [0.01, 0.05]
[forest]
trees = 10
folds = 3
[device]
kind = "cpu"
"""


class Result:
    """How a run of flipstorm ended."""

    def __init__(self, command, code, out, err):
        self.command, self.code, self.out, self.err = command, code, out, err

    def __str__(self):
        command = " ".join(str(word) for word in self.command)
        return f"{command}\nexit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Running:
    """A run of flipstorm that has not ended; its messages are collected as they come."""

    def __init__(self, command, environment):
        self.command = command
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.out, self.err = [], []
        self.readers = [
            threading.Thread(target=lambda pipe=pipe, lines=lines: lines.extend(pipe), daemon=True)
            for pipe, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self.readers:
            reader.start()

    def wait_for(self, condition, seconds=120):
        """Wait until condition() holds; False if the run ended before."""
        end = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None:
                return False
            if time.monotonic() > end:
                self.kill()
                raise TimeoutError(f"waited {seconds} s\n{self.wait()}")
            time.sleep(0.02)
        return True

    def says(self, text):
        return any(text in line for line in list(self.err))

    def ranks(self):
        """Process ids of what the launcher started."""
        return [pid for pid in descendants(self.process.pid) if pid != self.process.pid]

    def kill(self):
        """SIGKILL to the process and all that it started; returns when they are gone."""
        pids = descendants(self.process.pid)
        for pid in pids:
            kill_if_there(pid)
        ended(pids)

    def wait(self, seconds=120):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            self.process.wait(seconds)
            self.err.append(f"[test] killed after {seconds} s\n")
        for reader in self.readers:
            reader.join(seconds)
        self.process.stdout.close()
        self.process.stderr.close()
        return Result(self.command, self.process.returncode, "".join(self.out), "".join(self.err))


def descendants(pid):
    """A process and all below it, by /proc."""
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue  # it ended meanwhile
        children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for each in found:
        found.extend(children.get(each, []))
    return found


def ended(pids, seconds=20):
    """Whether none of the processes runs any more, or soon."""

    def runs(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    end = time.monotonic() + seconds
    while any(map(runs, pids)):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def kill_if_there(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class PipelineTest(unittest.TestCase):
    """A test with a folder of its own, which is removed afterwards."""

    flipstorm = mpiexec = numproc_flag = None

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="flipstorm-test-")
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.job = cls.folder / "job.toml"
        cls.job.write_text(SYNTHETIC_JOB)

    @classmethod
    def environment(cls, **more):
        scratch = cls.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        return {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_rmaps_base_oversubscribe": "1",
            "OMPI_MCA_hwloc_base_binding_policy": "none",
            "OMPI_MCA_mpi_yield_when_idle": "1",
            # Killed ranks leave files behind: in the folder of the test, not in /tmp and /dev/shm.
            "OMPI_MCA_btl_vader_backing_directory": str(scratch),
            "OMPI_MCA_osc_rdma_backing_directory": str(scratch),
            "OMPI_MCA_osc_sm_backing_store": str(scratch),
            "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
            "PRTE_MCA_hwloc_default_binding_policy": "none",
            "TMPDIR": str(scratch),
            **more,
        }

    @classmethod
    def start(cls, *arguments, ranks=0, environment=None):
        command = [cls.flipstorm, *map(str, arguments)]
        if ranks > 0:
            command = [cls.mpiexec, cls.numproc_flag, str(ranks), *command]
        return Running(command, cls.environment(**(environment or {})))

    @classmethod
    def run_flipstorm(cls, *arguments, ranks=0, environment=None, seconds=240):
        """Run flipstorm to its end: without a launcher (ranks = 0), or on so many ranks."""
        return cls.start(*arguments, ranks=ranks, environment=environment).wait(seconds)

    @classmethod
    def complete(cls, *arguments, **options):
        """Run what has to succeed."""
        result = cls.run_flipstorm(*arguments, **options)
        if result.code != COMPLETE:
            raise AssertionError(f"exit code 0 expected\n{result}")
        return result

    @classmethod
    def kill_at_first_segment(cls, out, *arguments, ranks):
        """Start, and SIGKILL launcher and ranks at the first journal segment. False if the campaign ended before."""
        run = cls.start(*arguments, "--out", out, ranks=ranks)
        alive = run.wait_for(lambda: segments(out))
        pids = run.ranks()
        run.kill()
        result = run.wait()
        if not alive or (out / "campaign.h5").exists():
            if result.code not in (COMPLETE, -signal.SIGKILL):
                raise AssertionError(str(result))
            return False
        if len(pids) < ranks:
            raise AssertionError(f"{ranks} ranks expected, found {pids}\n{result}")
        return True

    def kill_again_and_again(self, out, *arguments):
        """Start a campaign on other numbers of ranks and kill it as soon as it has saved more, until it is done."""
        kills = 0
        for ranks in (2, 1, 3, 2):
            before = segments(out)
            run = self.start(*arguments, ranks=ranks)
            if not run.wait_for(lambda: len(segments(out)) > len(before) + 1):
                run.wait()
                break
            run.kill()
            run.wait()
            kills += 1
        self.assertGreater(kills, 0)

    def assert_code(self, result, code):
        self.assertEqual(result.code, code, f"exit code {code} expected\n{result}")

    def assert_same_datasets(self, file, expected_file):
        """All datasets of two campaign files are the same bit for bit; NaN compare as their bits."""
        found, expected = datasets(file), datasets(expected_file)
        self.assertLessEqual(CAMPAIGN_DATASETS, set(expected), "not every column was compared")
        self.assertEqual(sorted(found), sorted(expected))
        for path, value in expected.items():
            self.assertEqual(found[path].dtype, value.dtype, path)
            self.assertEqual(found[path].shape, value.shape, path)
            differs = f"{path} of {file} is not that of {expected_file}"
            self.assertTrue(found[path].tobytes() == value.tobytes(), differs)


def segments(out):
    """Files of the journal in an out folder."""
    return sorted((out / "journal").glob("*.segment"))


def re_group(pattern, text):
    """The first group of the only place where the pattern is found."""
    found = re.findall(pattern, text)
    if len(found) != 1:
        raise AssertionError(f"{len(found)} times '{pattern}' in:\n{text}")
    return found[0]


def check_with_pytorch(out, data, faults, *options, seconds=300):
    """Run check_with_pytorch.py; returns its exit code and what it printed."""
    check = pathlib.Path(__file__).with_name("check_with_pytorch.py")
    command = [sys.executable, "-B", check, out, data, "--faults", str(faults), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # threads that wait for each other's cores are slow
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds, check=False)
    return done.returncode, done.stdout + done.stderr


def set_keys(**keys):
    """--set options; `campaign__limit=3` stands for campaign.limit=3."""
    return [word for key, value in keys.items() for word in ("--set", f"{key.replace('__', '.')}={value}")]


def unpack_old_files(folder):
    """The files of old_files/README.md, below that folder."""
    with tarfile.open(pathlib.Path(__file__).parent / "old_files" / "old_files.tar.xz") as archive:
        archive.extractall(folder)
    return folder / "old_files"


def datasets(file):
    """All datasets of a file, by path."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found["/" + name] = item[()] if item.shape == () else item[:]

    with h5py.File(file, "r") as opened:
        opened.visititems(visit)
    return {path: np.asarray(value) for path, value in found.items()}


def seal(file):
    """Write the seal of a file with room for one, as SCHEMA.md describes it."""
    with open(file, "r+b") as opened:
        behind = opened.read()[512:]
        text = f"flipstorm seal 1\nbytes {len(behind)}\nsha256 {hashlib.sha256(behind).hexdigest()}\n"
        opened.seek(0)
        opened.write(text.encode().ljust(512, b"\0"))


@contextlib.contextmanager
def edited(file):
    """An HDF5 file of flipstorm, open to be changed, and sealed anew afterwards."""
    with h5py.File(file, "r+") as opened:
        yield opened
    seal(file)


def digests(folder):
    """SHA-256 of every file below a folder, by relative path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(pathlib.Path(folder).rglob("*"))
        if path.is_file()
    }


def write_idx(file, array):
    """Write an array of bytes as IDX; gzip if the name ends in .gz."""
    array = np.asarray(array, np.uint8)
    content = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
    file.write_bytes(gzip.compress(content, mtime=0) if file.name.endswith(".gz") else content)


def blob_images(random, patterns, count):
    """Moved and noisy images [count, H, W] of the patterns [classes, H, W], and their classes."""
    labels = random.integers(0, len(patterns), count)
    labels[: len(patterns)] = range(len(patterns))
    images = patterns[labels]
    for axis in (1, 2):
        moves = random.integers(-2, 3, count)
        images = np.stack([np.roll(image, move, axis - 1) for image, move in zip(images, moves)])
    return 180 * np.minimum(images, 1) + 75 * random.random(images.shape), labels


def blob_patterns(random, size, classes=10):
    row, column = np.mgrid[0:size, 0:size]
    patterns = np.zeros((classes, size, size))
    for pattern in patterns:
        for _ in range(4):
            i, j = random.uniform(0.2 * size, 0.8 * size, 2)
            pattern += np.exp(-((row - i) ** 2 + (column - j) ** 2) / (2 * (0.1 * size) ** 2))
    return patterns


def write_idx_dataset(folder, train=2000, test=700, size=28, seed=7):
    """Noisy blobs of ten classes, in the four files of MNIST: two plain, two gzip."""
    random = np.random.default_rng(seed)
    patterns = blob_patterns(random, size)
    folder.mkdir(parents=True)
    for prefix, count, ending in (("train", train, ".gz"), ("t10k", test, "")):
        images, labels = blob_images(random, patterns, count)
        write_idx(folder / f"{prefix}-images-idx3-ubyte{ending}", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte{'.gz' if not ending else ''}", labels)


def write_cifar_dataset(folder, train=500, test=100, classes=10, seed=7):
    """Noisy coloured blobs, in the files of CIFAR-10, or of CIFAR-100 for 100 classes."""
    random = np.random.default_rng(seed)
    patterns = blob_patterns(random, 32, classes)
    folder.mkdir(parents=True)
    files = [(f"data_batch_{k}.bin", train // 5) for k in range(1, 6)] + [("test_batch.bin", test)]
    if classes == 100:
        files = [("train.bin", train), ("test.bin", test)]
    for name, count in files:
        images, labels = blob_images(random, patterns, count)
        colours = 0.4 + 0.2 * ((labels[:, None] // 3 ** np.arange(3)) % 3)  # by class: 0.4, 0.6 or 0.8
        pixels = (images[:, None] * colours[:, :, None, None]).astype(np.uint8).reshape(count, -1)
        label_bytes = np.stack([labels // 5, labels] if classes == 100 else [labels], axis=1).astype(np.uint8)
        np.concatenate([label_bytes, pixels], axis=1).tofile(folder / name)


def torch_libraries(program):
    """What a program is linked with of LibTorch."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"\blib(?:torch|c10)\S*", listed)


def copy_folder(source, target):
    shutil.copytree(source, target)
    return target


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    PipelineTest.flipstorm, PipelineTest.mpiexec, PipelineTest.numproc_flag = sys.argv[1:4]
    unittest.main("__main__", argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)
