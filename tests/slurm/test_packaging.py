#!/usr/bin/env python3
"""The Spack package, the container definition and the shell scripts, as far as they can be checked without Spack and
Apptainer: test_packaging.py SOURCE_DIR. shellcheck is needed (77: it is missing)."""

import pathlib
import re
import shutil
import subprocess
import sys
import types
import unittest

SOURCE = pathlib.Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else pathlib.Path.cwd()

# What CMake looks for → the Spack packages that bring it. The compiler brings threads and OpenMP.
SPACK_PACKAGES = {
    "Threads": {"cxx"},
    "OpenMP": {"cxx"},
    "MPI": {"mpi"},
    "HDF5": {"hdf5"},
    "Boost": {"boost"},
    "OpenSSL": {"openssl"},
    "ZLIB": {"zlib-api"},
    "fmt": {"fmt"},
    "spdlog": {"spdlog"},
    "CLI11": {"cli11"},
    "toml11": {"toml11"},
    "nlohmann_json": {"nlohmann-json"},
    "Torch": {"py-torch"},
    "GTest": {"googletest"},
}


def shellcheck(script, *options):
    done = subprocess.run(
        ["shellcheck", *options, "-"], input=script, capture_output=True, text=True, cwd=SOURCE, check=False
    )
    return done.stdout + done.stderr


class SpackPackage(unittest.TestCase):
    """package.py is run with stand-ins for Spack's directives, which note what they are told."""

    @classmethod
    def setUpClass(cls):
        cls.directives = []

        def directive(name):
            return lambda *values, **options: cls.directives.append((name, values, options))

        class CMakePackage:
            run_tests = True

            def define(self, name, value):
                return f"-D{name}:BOOL={'ON' if value else 'OFF'}"

        class CudaPackage:
            cuda_arch_values = ("80", "90")

        spack_package = types.ModuleType("spack.package")
        for name in ("license", "version", "depends_on", "generator"):
            setattr(spack_package, name, directive(name))
        spack_package.CMakePackage = CMakePackage
        spack_package.CudaPackage = CudaPackage
        sys.modules.update({"spack": types.ModuleType("spack"), "spack.package": spack_package})
        file = SOURCE / "slurm/spack/packages/flipstorm/package.py"
        names = {"__file__": str(file), "__name__": "package"}
        exec(compile(file.read_text(), file, "exec"), names)  # pylint: disable=exec-used
        cls.package = names["Flipstorm"]  # by the name of its folder

    def dependencies(self):
        return [values[0] for name, values, _ in self.directives if name == "depends_on"]

    def test_source_is_this_repository(self):
        self.assertEqual(self.package.git, SOURCE.as_uri())
        self.assertEqual([v for v in self.directives if v[0] == "version"], [("version", ("main",), {"branch": "main"})])

    def test_all_that_cmake_looks_for_comes_from_a_dependency(self):
        names = {re.match(r"[a-z0-9-]+", spec).group() for spec in self.dependencies()}
        wanted = set()
        for file in (SOURCE / "CMakeLists.txt", SOURCE / "tests/CMakeLists.txt"):
            wanted.update(re.findall(r"find_package\((\w+)", file.read_text()))
        self.assertLessEqual(wanted, set(SPACK_PACKAGES), "say in SPACK_PACKAGES what brings it")
        for package in wanted:
            self.assertLessEqual(SPACK_PACKAGES[package], names, f"CMake looks for {package}")
        self.assertIn("hdf5@1.10:+mpi+hl", self.dependencies())

    def test_cmake_version(self):
        wanted = re.search(r"cmake_minimum_required\(VERSION ([\d.]+)\)", (SOURCE / "CMakeLists.txt").read_text())
        self.assertIn(f"cmake@{wanted.group(1)}:", self.dependencies())

    def test_cmake_arguments_are_options(self):
        text = (SOURCE / "CMakeLists.txt").read_text()
        arguments = self.package().cmake_args()
        self.assertTrue(arguments)
        for argument in arguments:
            self.assertRegex(text, r"option\(" + re.match(r"-D(\w+)", argument).group(1) + r"\b")

    def test_run_environment(self):
        python = types.SimpleNamespace(command=types.SimpleNamespace(path="/somewhere/python3"))
        package, environment = self.package(), {}
        package.spec = {"python": python}
        package.setup_run_environment(types.SimpleNamespace(set=environment.__setitem__))
        self.assertEqual(environment, {"FLIPSTORM_PYTHON": "/somewhere/python3"})
        code = (SOURCE / "analysis/python.cpp").read_text()
        self.assertIn('getenv("FLIPSTORM_PYTHON")', code)


class Container(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        text = (SOURCE / "slurm/flipstorm.def").read_text()
        parts = re.split(r"^%(\w+)(.*)\n", text, flags=re.MULTILINE)
        cls.header = parts[0]
        cls.sections = {parts[k]: (parts[k + 1], parts[k + 2]) for k in range(1, len(parts), 3)}

    def test_header(self):
        keywords = dict(re.findall(r"^(\w+): (.*)$", self.header, flags=re.MULTILINE))
        self.assertEqual(keywords, {"Bootstrap": "docker", "From": "debian:12"})

    def test_sections(self):
        known = {"labels", "help", "setup", "post", "environment", "runscript", "test"}
        self.assertEqual(set(self.sections), known)
        self.assertIn("-c /bin/bash", self.sections["post"][0], "it uses arrays")

    def test_shellcheck(self):
        for name in ("setup", "post", "environment", "runscript", "test"):
            shell = "bash" if name == "post" else "sh"
            self.assertEqual(shellcheck(self.sections[name][1], f"--shell={shell}", "-x"), "", name)

    def test_post_uses_what_there_is(self):
        post = self.sections["post"][1]
        for file in re.findall(r"source (\S+)", post):
            self.assertTrue((SOURCE / file).is_file(), file)
        packages = (SOURCE / "jobs/packages.sh").read_text()
        for name in re.findall(r"\$\{(\w+)\[@\]\}", post):
            self.assertRegex(packages, rf"(?m)^{name}=\(")
        options = re.findall(r"-D(FLIPSTORM_\w+)", post)
        self.assertTrue(options)
        for option in options:
            self.assertIn(f"option({option} ", (SOURCE / "CMakeLists.txt").read_text())


class ShellScripts(unittest.TestCase):
    def test_shellcheck(self):
        scripts = [
            file
            for folder in (".ci", "jobs", "slurm", "tests")
            for file in sorted((SOURCE / folder).rglob("*"))
            if file.suffix in (".sh", ".sbatch")
        ]
        self.assertGreaterEqual(len(scripts), 12)
        done = subprocess.run(
            ["shellcheck", "-x", *scripts], capture_output=True, text=True, cwd=SOURCE, check=False
        )
        self.assertEqual(done.stdout + done.stderr, "")


if __name__ == "__main__":
    if shutil.which("shellcheck") is None:
        print("skipped: no shellcheck (Debian: apt install shellcheck)")
        sys.exit(77)
    unittest.main(verbosity=2)
