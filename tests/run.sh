#!/bin/bash
# Builds flipstorm and runs all its tests; without options, then builds and runs the fuzzers, too (tests/fuzz/run.sh).
# Installs what is missing (Debian 12).
#
# usage: bash tests/run.sh [CTEST OPTIONS]      e.g. bash tests/run.sh -L unit
# Tests that want CIFAR-10 take its folder from FLIPSTORM_CIFAR10.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=jobs/packages.sh
source jobs/packages.sh
install_packages "${packages_build[@]}" "${packages_run[@]}" "${packages_test[@]}"

cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DFLIPSTORM_TESTS=ON -DFLIPSTORM_WERROR=ON
cmake --build build
ctest --test-dir build --output-on-failure --no-tests=error --parallel 2 "$@"
(($# > 0)) || bash tests/fuzz/run.sh
