#!/bin/bash
# Builds the fuzzers of everything that flipstorm reads (libFuzzer, with address and undefined-behaviour sanitizers) and
# runs each over its corpus, then for some seconds on inputs of its own.
#
# usage: bash tests/fuzz/run.sh [SECONDS [TARGET...]]     e.g. bash tests/fuzz/run.sh 300 hdf5_forest
#
# SECONDS: for each target, two at a time; 2 by default, 0: the corpus only. Prints a line a target: what it tries and
# how often, new findings. Ends with 1 if there are any; the inputs stay in build-fuzz/findings, their names are printed,
# and `build-fuzz/fuzz_TARGET INPUT` does one again. Mended, an input goes into tests/fuzz/corpus/TARGET, and its reason
# into a unit test.
#
# A target is a file fuzz_TARGET.cpp. It accepts errors that blame the input and nothing else: no crash, no sanitizer's
# report, no plain Error (a defect), no allocation above 512 MiB, nothing that takes 10 s.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:-2}
if ! [[ $seconds =~ ^[0-9]+$ ]]; then
  echo "usage: bash tests/fuzz/run.sh [SECONDS [TARGET...]]: '$seconds' is no number of seconds" >&2
  exit 64
fi
shift $(($# > 0 ? 1 : 0))

build="build-fuzz"
findings=$build/findings
cmake -S tests/fuzz -B $build -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ >/dev/null
cmake --build $build --parallel 2 >$build/build.log || { cat $build/build.log >&2; exit 1; }
mkdir -p $findings

# The inputs of files are written to memory, if there is such a file system.
memory=/dev/shm
[[ -d $memory && -w $memory ]] || memory=${TMPDIR:-/tmp}
scratch=$(mktemp -d "$memory/flipstorm-fuzz.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch

# fuzz TARGET: prints its line; 1 if it has a finding.
fuzz() {
  local target=$1 status=0 runs found folder
  local log=$scratch/$target.log
  folder=$findings/$target
  mkdir -p "$scratch/$target" "$folder"
  touch "$scratch/$target.start"
  local limits=(-malloc_limit_mb=512 -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 "-artifact_prefix=$folder/")
  # Edits of files are slow to do: several at once from the start.
  [[ $target != hdf5_* ]] || limits+=(-len_control=0 -max_len=256)
  local time=(-max_total_time="$seconds")
  ((seconds > 0)) || time=(-runs=0)
  local corpus=()
  [[ ! -d tests/fuzz/corpus/$target ]] || corpus=("tests/fuzz/corpus/$target")
  # New inputs go to the first folder, which is thrown away.
  ASAN_OPTIONS=allocator_may_return_null=0 UBSAN_OPTIONS=print_stacktrace=1 OMP_NUM_THREADS=1 \
    "$build/fuzz_$target" "${limits[@]}" "${time[@]}" "$scratch/$target" "${corpus[@]}" >"$log" 2>&1 || status=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)
  found=$(find "$folder" -type f -newer "$scratch/$target.start" | sort)
  if ((status == 0)); then
    printf '%-22s %9s executions, no findings\n' "$target" "${runs:-0}"
    return 0
  fi
  printf '%-22s %9s executions, FINDING (exit status %d): %s\n' "$target" "${runs:-?}" "$status" \
    "${found:-none that one input shows}"
  grep -E -m 3 'ERROR|runtime error|expected|uncaught|what\(\)' "$log" | sed 's/^/    /' || true
  cp "$log" "$folder/log.txt"
  echo "    whole report: $folder/log.txt"
  return 1
}
export -f fuzz
export build findings scratch seconds

if (($# > 0)); then
  targets=("$@")
else
  mapfile -t targets < <(find tests/fuzz -name 'fuzz_*.cpp' -printf '%f\n' | sed 's/^fuzz_//; s/\.cpp$//' | sort)
fi
# shellcheck disable=SC2016
printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c 'fuzz "$1"' _ {} || exit 1
