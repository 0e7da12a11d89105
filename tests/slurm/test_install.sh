#!/bin/bash
# `cmake --install` into a folder: the programs run from there, the Slurm scripts find it, and the test of the container
# definition passes on it.
#
#     tests/slurm/test_install.sh CMAKE BUILD_DIR SOURCE_DIR

set -euo pipefail

if (($# != 3)); then
  echo "usage: $0 CMAKE BUILD_DIR SOURCE_DIR" >&2
  exit 64
fi
build_dir=$(realpath "$2")
source_dir=$(realpath "$3")
for variable in "${!FLIPSTORM@}"; do unset "$variable"; done
prefix=$(mktemp -d /tmp/flipstorm-install-XXXXXX)
trap 'rm -rf "$prefix"' EXIT

fail() {
  echo "failed: $*"
  exit 1
}

"$1" --install "$build_dir" --prefix "$prefix" >"$prefix/log" || fail "cmake --install: $(cat "$prefix/log")"
[[ $("$prefix/bin/flipstorm" --version) == "flipstorm "* ]] || fail "the installed program does not run"
[[ $("$prefix/bin/flipstorm-analysis" --version) == "flipstorm-analysis "* ]] || fail "flipstorm-analysis does not run"
unresolved=$(ldd "$prefix"/bin/flipstorm* | grep "not found" || true)
[[ -z $unresolved ]] || fail "libraries of the installed program: $unresolved"

share=$prefix/share/flipstorm
expected=$(cd "$source_dir" && printf '%s\n' slurm/*.sh slurm/*.sbatch jobs/examples/*.toml | sed 's|^jobs/||' | LC_ALL=C sort)
found=$(cd "$share" && find . -type f -printf '%P\n' | LC_ALL=C sort)
[[ $found == "$expected" ]] || fail "installed in $share: $(diff <(echo "$expected") <(echo "$found") || true)"

cd "$prefix"
example=$share/examples/synthetic.toml
"$share/slurm/submit.sh" --dry-run "$example" >dry-run || fail "the installed submit.sh ended with $?"
grep -qF "$share/slurm/campaign.sbatch" dry-run || fail "submit.sh does not submit its own batch scripts: $(cat dry-run)"

# The %test of the container, whose prefix is /usr/local.
sed -n '/^%test/,/^%[a-su-z]/{/^%/d;p}' "$source_dir/slurm/flipstorm.def" | sed "s|/usr/local|$prefix|g" >container-test
grep -q "flipstorm run" container-test || fail "slurm/flipstorm.def has no %test that runs flipstorm"
OMP_NUM_THREADS=1 PATH=$prefix/bin:$PATH sh container-test >container-log 2>&1 ||
  fail "the container's test ended with $?: $(cat container-log)"

# Was it the installed program that submit.sh found?
rm bin/flipstorm
code=0
PATH=/usr/bin:/bin "$share/slurm/submit.sh" --dry-run "$example" >dry-run 2>&1 || code=$?
((code == 64)) || fail "exit code $code, and 64 expected, without a program"
grep -q "no program 'flipstorm'" dry-run || fail "without a program submit.sh says: $(cat dry-run)"
echo "passed: programs, examples and Slurm scripts work as installed"
