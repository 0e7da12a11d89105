#!/bin/bash
# What slurm/submit.sh would submit, by its --dry-run: no Slurm needed. Stages, dependencies, site settings, options, and
# what it refuses.
#
#     tests/slurm/test_submit.sh FLIPSTORM_BINARY SOURCE_DIR

set -euo pipefail

if (($# != 2)); then
  echo "usage: $0 FLIPSTORM_BINARY SOURCE_DIR" >&2
  exit 64
fi
binary=$(realpath "$1")
source_dir=$(realpath "$2")
for variable in "${!FLIPSTORM@}" "${!SBATCH_@}"; do unset "$variable"; done
export FLIPSTORM=$binary
scratch=$(mktemp -d /tmp/flipstorm-submit-XXXXXX)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
for name in a b; do
  sed "s/^name = .*/name = \"net-$name\"/; s|^out = .*|out = \"out/$name\"|" \
    "$source_dir/jobs/examples/synthetic.toml" >"$name.toml"
done
slurm=$(printf %q "$source_dir/slurm")
failures=0

# prints WHAT ARGUMENT… <<<EXPECTED
prints() {
  local what=$1 expected found
  shift
  expected=$(cat)
  found=$("$source_dir/slurm/submit.sh" --dry-run "$@" 2>&1) || true
  if [[ $found == "$expected" ]]; then
    echo "passed: $what"
  else
    echo "failed: $what"
    diff <(printf '%s\n' "$expected") <(printf '%s\n' "$found") || true
    failures=$((failures + 1))
  fi
}

# refuses TEXT ARGUMENT…: exit code 64 with the text, nothing on stdout.
refuses() {
  local text=$1 code=0
  shift
  "$source_dir/slurm/submit.sh" --dry-run "$@" >stdout 2>stderr || code=$?
  if ((code == 64)) && [[ ! -s stdout ]] && grep -qF -- "$text" stderr; then
    echo "passed: refuses $*"
  else
    echo "failed: exit code $code, and 64 with '$text' expected, of: $*"
    cat stdout stderr
    failures=$((failures + 1))
  fi
}

common="sbatch --parsable --export=ALL"
prints "a chain" a.toml <<EXPECTED
$common --job-name=net-a-train --output=flipstorm-%x-%j.log --signal=USR1@60 $slurm/train.sbatch a.toml
$common --job-name=net-a-campaign --output=flipstorm-%x-%j.log --signal=USR1@60 --dependency=afterok:ID_OF_TRAIN --kill-on-invalid-dep=yes $slurm/campaign.sbatch a.toml
$common --job-name=net-a-analysis --output=flipstorm-%x-%j.log --signal=USR1@60 --dependency=afterok:ID_OF_CAMPAIGN --kill-on-invalid-dep=yes --nodes=1 --ntasks=1 --ntasks-per-node=1 $slurm/analysis.sbatch a.toml
EXPECTED
prints "a chain with a proof" a.toml --set harden.verify=true <<EXPECTED
$common --job-name=net-a-train --output=flipstorm-%x-%j.log --signal=USR1@60 $slurm/train.sbatch a.toml --set harden.verify=true
$common --job-name=net-a-campaign --output=flipstorm-%x-%j.log --signal=USR1@60 --dependency=afterok:ID_OF_TRAIN --kill-on-invalid-dep=yes $slurm/campaign.sbatch a.toml --set harden.verify=true
$common --job-name=net-a-analysis --output=flipstorm-%x-%j.log --signal=USR1@60 --dependency=afterok:ID_OF_CAMPAIGN --kill-on-invalid-dep=yes --nodes=1 --ntasks=1 --ntasks-per-node=1 $slurm/analysis.sbatch a.toml --set harden.verify=true
$common --job-name=net-a-verify --output=flipstorm-%x-%j.log --signal=USR1@60 --dependency=afterok:ID_OF_ANALYSIS --kill-on-invalid-dep=yes $slurm/verify.sbatch a.toml --set harden.verify=true
EXPECTED

FLIPSTORM_GPUS=1 FLIPSTORM_MARGIN=300 FLIPSTORM_COMPUTE_OPTIONS="--nodes=4 --ntasks-per-node=4" \
  FLIPSTORM_ANALYSIS_OPTIONS="--cpus-per-task=64" \
  prints "site settings and options of flipstorm and sbatch" \
  a.toml --set campaign.limit=10 --out "my out" --fresh -- --time=60 --ntasks-per-node=2 <<EXPECTED
$common --job-name=net-a-train --output=flipstorm-%x-%j.log --signal=USR1@150 --nodes=4 --ntasks-per-node=4 --gpus-per-task=1 --time=60 --ntasks-per-node=2 $slurm/train.sbatch a.toml --set campaign.limit=10 --out my\\ out --fresh
$common --job-name=net-a-campaign --output=flipstorm-%x-%j.log --signal=USR1@150 --dependency=afterok:ID_OF_TRAIN --kill-on-invalid-dep=yes --nodes=4 --ntasks-per-node=4 --gpus-per-task=1 --time=60 --ntasks-per-node=2 $slurm/campaign.sbatch a.toml --set campaign.limit=10 --out my\\ out --fresh
$common --job-name=net-a-analysis --output=flipstorm-%x-%j.log --signal=USR1@150 --dependency=afterok:ID_OF_CAMPAIGN --kill-on-invalid-dep=yes --time=60 --ntasks-per-node=2 --nodes=1 --ntasks=1 --ntasks-per-node=1 --cpus-per-task=64 $slurm/analysis.sbatch a.toml --set campaign.limit=10 --out my\\ out --fresh
EXPECTED

prints "one job for all stages" --pipeline a.toml <<EXPECTED
$common --job-name=net-a-pipeline --output=flipstorm-%x-%j.log --signal=USR1@60 $slurm/pipeline.sbatch a.toml
EXPECTED

prints "arrays" --pipeline a.toml b.toml <<EXPECTED
$common --job-name=pipeline --output=flipstorm-%x-%A_%a.log --signal=USR1@60 --array=0-1 $slurm/pipeline.sbatch a.toml b.toml
EXPECTED

prints "no training where the model is given" a.toml --set model.file=model.h5 <<EXPECTED
$common --job-name=net-a-campaign --output=flipstorm-%x-%j.log --signal=USR1@60 $slurm/campaign.sbatch a.toml --set model.file=model.h5
$common --job-name=net-a-analysis --output=flipstorm-%x-%j.log --signal=USR1@60 --dependency=afterok:ID_OF_CAMPAIGN --kill-on-invalid-dep=yes --nodes=1 --ntasks=1 --ntasks-per-node=1 $slurm/analysis.sbatch a.toml --set model.file=model.h5
EXPECTED

prints "only an analysis where the campaign is given" a.toml --set forest.campaign=campaign.h5 <<EXPECTED
$common --job-name=net-a-analysis --output=flipstorm-%x-%j.log --signal=USR1@60 --nodes=1 --ntasks=1 --ntasks-per-node=1 $slurm/analysis.sbatch a.toml --set forest.campaign=campaign.h5
EXPECTED

# Environment Modules and Lmod give `module` as a shell function, which may use variables that are not set.
# shellcheck disable=SC2154,SC2317
module() { printf '%s\n' "module $*$never_set" >>modules; }
export -f module
FLIPSTORM_MODULES="gcc/12 openmpi/4.1" "$source_dir/slurm/submit.sh" --dry-run a.toml >stdout
if [[ $(cat modules) == "module load gcc/12 openmpi/4.1" ]]; then
  echo "passed: modules are loaded"
else
  echo "failed: modules: $(cat modules)"
  failures=$((failures + 1))
fi
unset -f module

refuses "which job file?"
refuses "unknown option '--time=60' (options of sbatch come after --)" a.toml --time=60
refuses "--set needs a value" a.toml --set
refuses "cannot open 'c.toml'" c.toml
refuses "write './-x'" a.toml --out -x
refuses "write './-x'" a.toml --set job.out=-x
refuses "is empty" a.toml --out ""
refuses "campaign.limit" a.toml --set campaign.limit=many
refuses "have one out folder" a.toml a.toml
refuses "they would share one out folder" a.toml b.toml --out out
FLIPSTORM_MARGIN=soon refuses "FLIPSTORM_MARGIN is 'soon', but should be a whole number" a.toml
FLIPSTORM_MARGIN=100000 refuses "should be in 2 … 65535" a.toml
FLIPSTORM_SITE=nowhere.sh refuses "cannot read the site settings 'nowhere.sh'" a.toml
FLIPSTORM=no/flipstorm refuses "no program 'no/flipstorm'" a.toml
FLIPSTORM_MODULES=gcc refuses "cannot load the modules 'gcc'" a.toml

((failures == 0))
