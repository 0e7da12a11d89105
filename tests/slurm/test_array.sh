#!/bin/bash
# Several job files as a chain of arrays, on a Slurm of our own with two GPUs per node (that do nothing): each task works
# on its own job file; task k waits for task k; a task that is stopped is requeued alone, although the last task of an
# array has the id of the whole array; and each rank sees a GPU of its own.
#
#     tests/slurm/test_array.sh FLIPSTORM_BINARY SOURCE_DIR

set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=slurm_test.sh
source "$(dirname "${BASH_SOURCE[0]}")/slurm_test.sh"
slurm_test_start "$@"

for k in 0 1; do
  sed -e "s/^name = .*/name = \"net-$k\"/; s/^seed = .*/seed = $((k + 1))/; s|^out = .*|out = \"out $k\"|" \
    -e 's/^test_images = .*/test_images = 50/; s/^limit = .*/limit = 20000\njournal_seconds = 0.1/' \
    "$source_dir/jobs/examples/synthetic.toml" >"$scratch/job $k.toml"
done
# Before flipstorm starts, each rank notes which GPU it sees.
cat >"$scratch/note-gpu" <<'WRAPPER'
#!/bin/bash
if [[ $* != *--print-config* ]]; then
  printf '%s_%s rank %s: GPU %s\n' "$SLURM_JOB_NAME" "$SLURM_ARRAY_TASK_ID" "$SLURM_PROCID" \
    "${CUDA_VISIBLE_DEVICES:-none}" >>"$(dirname "$0")/gpus"
fi
exec "$@"
WRAPPER
chmod 755 "$scratch/note-gpu"
export FLIPSTORM_WRAPPER=$scratch/note-gpu FLIPSTORM_GPUS=1
export FLIPSTORM_COMPUTE_OPTIONS="--ntasks=2 --cpus-per-task=1 --time=10"

submit "job 0.toml" "job 1.toml" --set train.epochs=1
[[ ${!ids[*]} == *campaign* && ${#ids[@]} == 3 ]] || fail "three arrays expected, not: ${!ids[*]}"
campaign=${ids[campaign]}
one_machine_slurm_wait 120 has_segment "$scratch/out 1" || fail "no segment of the second job file after 120 s"
[[ $(job_field "${campaign}_1" JobId) == "$campaign" ]] || fail "the last task has not the id of the array"
ends_as "${campaign}_0" COMPLETED 0 0
scancel --signal=USR1 "${campaign}_1"
ends_as "${campaign}_1" COMPLETED 0 1 "back into the queue" "flipstorm-campaign-${campaign}_1.log"
ends_as "${campaign}_0" COMPLETED 0 0
for k in 0 1; do
  ends_as "${ids[train]}_$k" COMPLETED 0 0 "start 1" "flipstorm-train-${ids[train]}_$k.log"
  ends_as "${ids[analysis]}_$k" COMPLETED 0 0 "Table III" "flipstorm-analysis-${ids[analysis]}_$k.log"
  has_results "$scratch/out $k"
  # Each made its own: the job file is in the file.
  h5dump -N job "out $k/campaign.h5" | grep -qF "net-$k" || fail "'out $k' was not made from 'job $k.toml'"
done
passed "two job files, a chain of arrays: one task stopped and requeued, the other not"

start_of() { date --date "$(job_field "$1" StartTime)" +%s; }
end_of() { date --date "$(job_field "$1" EndTime)" +%s; }
for k in 0 1; do
  (($(end_of "${ids[train]}_$k") <= $(start_of "${campaign}_$k"))) || fail "campaign $k did not wait for its model"
  (($(end_of "${campaign}_$k") <= $(start_of "${ids[analysis]}_$k"))) || fail "analysis $k did not wait"
done
(($(start_of "${ids[analysis]}_0") < $(end_of "${campaign}_1"))) ||
  fail "the first analysis waited for the second campaign"
passed "task k waited for task k only"

LC_ALL=C sort --unique gpus >gpus.sorted
cat >gpus.expected <<'EXPECTED'
analysis_0 rank 0: GPU none
analysis_1 rank 0: GPU none
campaign_0 rank 0: GPU 0
campaign_0 rank 1: GPU 1
campaign_1 rank 0: GPU 0
campaign_1 rank 1: GPU 1
train_0 rank 0: GPU 0
train_0 rank 1: GPU 1
train_1 rank 0: GPU 0
train_1 rank 1: GPU 1
EXPECTED
diff gpus.expected gpus.sorted || fail "the ranks see other GPUs than expected"
grep -q -- "--gpus-per-task=1 --gpu-bind=per_task:1" "flipstorm-campaign-${campaign}_0.log" ||
  fail "srun was called without the GPUs"
passed "each rank saw a GPU of its own, and the analysis none"

job=$(FLIPSTORM_SLURM=$source_dir/slurm sbatch --parsable --array=0-1 --ntasks=1 --output=few-%a.log \
  "$source_dir/slurm/campaign.sbatch" "job 0.toml")
ends_as "${job}_1" FAILED 64 0 "task 1 of the array has no job file" few-1.log
job=$(FLIPSTORM_SLURM=$source_dir/slurm sbatch --parsable --ntasks=1 --output=many.log \
  "$source_dir/slurm/campaign.sbatch" "job 0.toml" "job 1.toml")
ends_as "$job" FAILED 64 0 "add --array=0-1" many.log
passed "job files and tasks have to be as many"
