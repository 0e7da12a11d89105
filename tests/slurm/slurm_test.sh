# shellcheck shell=bash
# What the tests on a Slurm of our own share. A test is called as TEST FLIPSTORM_BINARY SOURCE_DIR and exits with 0 passed,
# 77 skipped (no Slurm, or not root), else failed. It begins with
#
#     source tests/slurm/slurm_test.sh
#     slurm_test_start "$@"
#
# Then Slurm runs, `binary`, `source_dir` and the scratch folder `scratch` are set, FLIPSTORM is the binary, and the
# current folder is `scratch`. All is stopped and removed at the end.

# shellcheck source-path=SCRIPTDIR source=one_machine_slurm.sh
source "$(dirname "${BASH_SOURCE[0]}")/one_machine_slurm.sh"

slurm_test_start() {
  if (($# != 2)); then
    echo "usage: $0 FLIPSTORM_BINARY SOURCE_DIR" >&2
    exit 64
  fi
  binary=$(realpath "$1")
  source_dir=$(realpath "$2")
  if one_machine_slurm_missing; then exit 77; fi
  if ! command -v "$binary" >/dev/null; then
    echo "failed: no program '$binary'"
    exit 1
  fi
  scratch=$(mktemp -d /tmp/flipstorm-slurm-XXXXXX)
  chmod 711 "$scratch"  # munged insists that its socket can be reached
  trap slurm_test_clean_up EXIT
  trap 'exit 1' INT TERM
  local variable
  for variable in "${!FLIPSTORM@}"; do unset "$variable"; done
  export FLIPSTORM=$binary
  cd "$scratch" || exit
  one_machine_slurm_start "$scratch/slurm" 2
  srun --mpi=list 2>&1 | grep -qw pmix || fail "this Slurm has no pmix plugin: $(srun --mpi=list 2>&1)"
}

slurm_test_clean_up() {
  one_machine_slurm_stop
  rm -rf "$scratch"
}

fail() {
  local file
  echo "failed: $*"
  for file in "$scratch"/*.log; do
    [[ -e $file ]] || continue
    echo "---- $file"
    cat "$file"
  done
  echo "---- jobs"
  scontrol show job 2>/dev/null || true
  for file in "$scratch"/slurm/slurm{ctld,d}.out; do
    echo "---- $file"
    tail -n 20 "$file"
  done
  exit 1
}

passed() { echo "passed after $SECONDS s: $*"; }

# job_field JOB FIELD: of `scontrol show job`. A job of an array is ARRAY_TASK.
job_field() { scontrol show job "$1" 2>/dev/null | grep -oP "(?<=\\b$2=)\\S+" | head -n 1; }

job_ended() {
  case $(job_field "$1" JobState) in
    '' | PENDING | CONFIGURING | RUNNING | COMPLETING | REQUEUED) return 1 ;;
  esac
}

# Wait for the end of a job: ends_as JOB STATE EXIT_CODE RESTARTS [PART_OF_LOG LOG]
ends_as() {
  local job=$1 state
  one_machine_slurm_wait 240 job_ended "$job" || fail "job $job is still $(job_field "$job" JobState) after 240 s"
  state=$(job_field "$job" JobState)
  [[ $state == "$2" ]] || fail "job $job is $state, not $2"
  [[ $(job_field "$job" ExitCode) == "$3:0" ]] ||
    fail "job $job ended with exit code $(job_field "$job" ExitCode), not $3"
  [[ $(job_field "$job" Restarts) == "$4" ]] ||
    fail "job $job was started again $(job_field "$job" Restarts) times, not $4"
  (($# < 6)) || grep -qF -- "$5" "$6" || fail "the log '$6' of job $job does not say '$5'"
}

# submit ARGUMENT...: slurm/submit.sh; the ids go to the array `ids` by name, for the test that calls it.
# shellcheck disable=SC2034
declare -A ids
submit() {
  local name id printed
  printed=$("$source_dir/slurm/submit.sh" "$@") || fail "submit.sh $* ended with $?"
  ids=()
  while read -r name id; do
    [[ $name =~ ^[a-z]+$ && $id =~ ^[0-9]+$ ]] || fail "submit.sh printed '$name $id', not NAME ID"
    # shellcheck disable=SC2034
    ids[$name]=$id
  done <<<"$printed"
}

has_segment() { compgen -G "$1/journal/*.segment" >/dev/null; }

has_results() {
  local file
  for file in model.h5 campaign.h5 forest.h5 protection.h5 report.html; do
    [[ -s $1/$file ]] || fail "the out folder '$1' has no $file, but: $(ls "$1" 2>&1)"
  done
}
