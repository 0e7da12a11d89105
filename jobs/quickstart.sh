#!/bin/bash
# The whole of flipstorm on one machine in a few minutes, with real data: installs what is missing (Debian 12),
# builds, trains LeNet-5 on Fashion-MNIST, injects faults on two MPI ranks, predicts the criticality of every bit,
# sizes the protection, and prints the three tables and where the report is.
#
# usage: bash jobs/quickstart.sh [OUT]      OUT: out folder, by default out/quickstart
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=jobs/packages.sh
source jobs/packages.sh

out=${1:-out/quickstart}
job=jobs/examples/quickstart.toml

install_packages "${packages_build[@]}" "${packages_run[@]}"

echo "Building flipstorm …"
log=$(mktemp)
configure=(cmake -S . -B build -G Ninja)
[[ -f build/CMakeCache.txt ]] || configure+=(-DCMAKE_BUILD_TYPE=Release -DFLIPSTORM_TESTS=OFF)
if ! { "${configure[@]}" &&
  cmake --build build --target flipstorm; } >"$log" 2>&1; then
  tail -n 40 "$log"
  exit 1
fi
rm -f "$log"
flipstorm=build/jobs/flipstorm

start=$SECONDS
ranks=2
mpirun=(mpirun -n "$ranks" --oversubscribe --bind-to none)
((EUID != 0)) || mpirun+=(--allow-run-as-root)

OMP_NUM_THREADS=$(nproc) "$flipstorm" train "$job" --out "$out"
OMP_NUM_THREADS=$((($(nproc) + ranks - 1) / ranks)) "${mpirun[@]}" "$flipstorm" inject "$job" --out "$out"
# The same job once more: what is done is skipped, the rest follows.
OMP_NUM_THREADS=$(nproc) "$flipstorm" run "$job" --out "$out"
echo "The job took $((SECONDS - start)) s."
