#!/bin/bash
# Builds flipstorm against a LibTorch with CUDA and runs the tests that need no GPU. Not part of run.sh: 15 minutes.
#
# usage: bash tests/with_cuda_libtorch.sh TORCH_FOLDER [CTEST OPTIONS]
#
# TORCH_FOLDER: an unpacked LibTorch, or the folder `torch` of PyTorch's wheel in some Python:
#   python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))'
# CUDA's toolkit (nvcc) of the same major version has to be installed. The build stays in build-cuda.
set -euo pipefail
if (($# < 1)) || [[ ! -f $1/share/cmake/Torch/TorchConfig.cmake ]]; then
  echo "usage: $0 TORCH_FOLDER [CTEST OPTIONS]   with TORCH_FOLDER/share/cmake/Torch/TorchConfig.cmake in it" >&2
  exit 64
fi
torch=$(realpath -- "$1")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cmake -S . -B build-cuda -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$torch" \
  -DFLIPSTORM_TESTS=ON -DFLIPSTORM_WERROR=ON
cmake --build build-cuda
ctest --test-dir build-cuda --output-on-failure --no-tests=error --parallel 2 -LE slurm "$@"
