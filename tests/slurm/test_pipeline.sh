#!/bin/bash
# slurm/pipeline.sbatch on a Slurm of our own. Three jobs, one after the other, on one out folder: a start that
# saves nothing is not repeated; a file STOP ends a job for good; and once it is removed, a job that is told to stop
# in mid-campaign saves, goes back into the queue by itself, continues, completes, and all results are there.
#
#     tests/slurm/test_pipeline.sh FLIPSTORM_BINARY SOURCE_DIR
#
# Exit codes: 0 passed, 77 skipped (no Slurm, or not root), else failed.

set -euo pipefail

if (($# != 2)); then
  echo "usage: $0 FLIPSTORM_BINARY SOURCE_DIR" >&2
  exit 64
fi
binary=$(realpath "$1")
source_dir=$(realpath "$2")
# shellcheck source-path=SCRIPTDIR source=one_machine_slurm.sh
source "$source_dir/tests/slurm/one_machine_slurm.sh"
if one_machine_slurm_missing; then exit 77; fi
if ! command -v "$binary" >/dev/null; then
  echo "failed: no program '$binary'"
  exit 1
fi

scratch=$(mktemp -d /tmp/flipstorm-slurm-XXXXXX)
chmod 711 "$scratch"  # munged insists that its socket can be reached
clean_up() {
  one_machine_slurm_stop
  rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

fail() {
  echo "failed: $*"
  echo "---- job log"
  cat "$scratch/job.log" 2>/dev/null || true
  echo "---- job"
  scontrol show job "$job" 2>/dev/null || true
  echo "---- slurmctld"
  tail -n 20 "$scratch/slurm/slurmctld.out"
  echo "---- slurmd"
  tail -n 20 "$scratch/slurm/slurmd.out"
  exit 1
}

job=none
one_machine_slurm_start "$scratch/slurm" 2
srun --mpi=list 2>&1 | grep -qw pmix || fail "this Slurm has no pmix plugin: $(srun --mpi=list 2>&1)"

cd "$source_dir"
out="$scratch/the \"out\" folder"
mkdir "$out"
# Faults enough for seconds, so that it can be stopped in mid-campaign.
arguments=(jobs/examples/synthetic.toml --out "$out" --set data.test_images=50 --set campaign.limit=20000
  --set campaign.journal_seconds=0.1)

# submit NAME=VALUE…: with these settings; sets job.
submit() {
  : >"$scratch/job.log"
  job=$(env FLIPSTORM="$binary" FLIPSTORM_MPI=pmix "$@" \
    sbatch --parsable --ntasks=2 --cpus-per-task=1 --time=10 --output="$scratch/job.log" \
    slurm/pipeline.sbatch "${arguments[@]}")
}

job_field() { scontrol show job "$job" | grep -oP "(?<=\\b$1=)\\S+"; }

# Wait for the end of the job: ends_as STATE EXIT_CODE RESTARTS [PART_OF_LOG]
ends_as() {
  local state give_up=$((SECONDS + 120))
  while :; do
    state=$(job_field JobState)
    case $state in
      PENDING | CONFIGURING | RUNNING | COMPLETING | REQUEUED) ;;
      *) break ;;
    esac
    ((SECONDS < give_up)) || fail "job $job is still $state after 120 s"
    sleep 0.2
  done
  [[ $state == "$1" ]] || fail "job $job is $state, not $1"
  [[ $(job_field ExitCode) == "$2:0" ]] || fail "job $job ended with exit code $(job_field ExitCode), not $2"
  [[ $(job_field Restarts) == "$3" ]] || fail "job $job was started again $(job_field Restarts) times, not $3"
  grep -qF "${4:-}" "$scratch/job.log" || fail "the log of job $job does not say '$4'"
}

submit FLIPSTORM_MARGIN=100000  # a deadline in the past
ends_as FAILED 75 0 "no progress since the start"
echo "passed: a start that saves nothing is not repeated"

touch "$out/STOP"
submit
ends_as FAILED 75 0 "stopped by the file STOP in '$out'"
rm "$out/STOP"
echo "passed: a file STOP ends the job"

has_segment() { compgen -G "$out/journal/*.segment" >/dev/null; }

submit FLIPSTORM_MAX_RESTARTS=1
one_machine_slurm_wait 60 has_segment || fail "no segment in the journal after 60 s"
scancel --signal=USR1 "$job"  # to the ranks, as at a time limit
ends_as COMPLETED 0 1 "back into the queue"
grep -q "chunks are done already" "$scratch/job.log" || fail "the second start did not continue"
for file in model.h5 campaign.h5 forest.h5 protection.h5 report.html; do
  [[ -s $out/$file ]] || fail "the out folder has no $file, but: $(ls "$out")"
done
cat "$scratch/job.log"
echo "passed: stopped, requeued, completed on $(job_field NumTasks) ranks"
