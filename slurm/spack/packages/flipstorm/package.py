"""Spack package of flipstorm, for sites that install by Spack. From a clone of flipstorm's repository:

    spack repo add slurm/spack
    spack install flipstorm                    # +cuda cuda_arch=90 with GPUs

What is committed on the clone's branch `main` is built; `spack dev-build flipstorm@main` builds the current folder.
"""

import pathlib

try:  # Spack 1.0 and later
    from spack_repo.builtin.build_systems.cmake import CMakePackage
    from spack_repo.builtin.build_systems.cuda import CudaPackage
except ImportError:
    pass  # before, they come with the next line

from spack.package import *


class Flipstorm(CMakePackage, CudaPackage):
    """Batch engine for the soft-error reliability of neural networks: fault injection on all MPI ranks, criticality of
    every bit by a balanced random forest, selective error-correcting codes."""

    git = pathlib.Path(__file__).resolve().parents[4].as_uri()

    license("Apache-2.0")

    version("main", branch="main")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.21:", type="build")
    depends_on("ninja", type="build")
    depends_on("git", type="build")

    # Spack's LibTorch is in py-torch.
    depends_on("py-torch@1.13:")
    depends_on("py-torch~cuda", when="~cuda")
    for arch in CudaPackage.cuda_arch_values:
        depends_on(f"py-torch+cuda cuda_arch={arch}", when=f"+cuda cuda_arch={arch}")
    depends_on("mpi")
    depends_on("hdf5@1.10:+mpi+hl")
    depends_on("boost+serialization")
    depends_on("openssl")
    depends_on("zlib-api")
    depends_on("cli11")
    depends_on("toml11@3")
    depends_on("nlohmann-json")
    depends_on("spdlog")
    depends_on("fmt")
    depends_on("googletest", type="test")

    # Figures of the report.
    depends_on("python", type="run")
    depends_on("py-h5py", type="run")
    depends_on("py-matplotlib", type="run")

    generator("ninja")

    def cmake_args(self):
        return [self.define("FLIPSTORM_TESTS", self.run_tests)]

    def setup_run_environment(self, env):
        env.set("FLIPSTORM_PYTHON", self.spec["python"].command.path)
