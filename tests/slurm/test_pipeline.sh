#!/bin/bash
# slurm/pipeline.sbatch on a Slurm of our own: the first start is told to stop, saves and exits with 75; the job
# goes back into the queue by itself, continues, completes, and all results are there.
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

# Stands before flipstorm in the job: the first start finds the file STOP, later ones do not.
out=$scratch/out
cat >"$scratch/flipstorm" <<WRAPPER
#!/bin/bash
if ((\${SLURM_RESTART_COUNT:-0} == 0)); then
  mkdir -p '$out'
  touch '$out/STOP'
else
  rm -f '$out/STOP'
fi
exec '$binary' "\$@"
WRAPPER
chmod 755 "$scratch/flipstorm"

cd "$source_dir"
job=$(FLIPSTORM=$scratch/flipstorm FLIPSTORM_MPI=pmix FLIPSTORM_MAX_RESTARTS=1 \
  sbatch --parsable --ntasks=2 --cpus-per-task=1 --time=10 --output="$scratch/job.log" \
  slurm/pipeline.sbatch jobs/examples/synthetic.toml --out "$out")

job_field() { scontrol show job "$job" | grep -oP "(?<=\\b$1=)\\S+"; }

give_up=$((SECONDS + 200))
while :; do
  state=$(job_field JobState)
  case $state in
    COMPLETED) break ;;
    PENDING | CONFIGURING | RUNNING | COMPLETING | REQUEUED) ;;
    *) fail "job $job is $state" ;;
  esac
  ((SECONDS < give_up)) || fail "job $job is still $state after 200 s"
  sleep 0.5
done

[[ $(job_field Restarts) == 1 ]] || fail "job $job was started again $(job_field Restarts) times, not once"
for file in model.h5 campaign.h5 forest.h5 protection.h5 report.html; do
  [[ -s $out/$file ]] || fail "the out folder has no $file, but: $(ls "$out")"
done
cat "$scratch/job.log"
echo "passed: stopped, requeued, completed on $(job_field NumTasks) ranks"
