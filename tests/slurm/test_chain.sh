#!/bin/bash
# slurm/submit.sh on a Slurm of our own: the chain train → campaign → forest, harden, report, whose campaign is stopped on
# its way and requeued while the analysis waits; a chain whose first job fails; a chain that sbatch refuses in its
# middle.
#
#     tests/slurm/test_chain.sh FLIPSTORM_BINARY SOURCE_DIR

set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=slurm_test.sh
source "$(dirname "${BASH_SOURCE[0]}")/slurm_test.sh"
slurm_test_start "$@"

job_file=$source_dir/jobs/examples/synthetic.toml
export FLIPSTORM_COMPUTE_OPTIONS="--ntasks=2 --cpus-per-task=1 --time=10"
export FLIPSTORM_ANALYSIS_OPTIONS="--cpus-per-task=2"
out=$scratch/out

submit "$job_file" --out "$out" --set data.test_images=50 --set campaign.limit=20000 --set campaign.journal_seconds=0.1
[[ ${!ids[*]} == *train* && ${#ids[@]} == 3 ]] || fail "three jobs expected, not: ${!ids[*]}"
for stage in campaign analysis; do
  state=$(squeue --noheader --job "${ids[$stage]}" --format '%T %r')
  [[ $state == "PENDING Dependency" ]] || fail "$stage does not wait for the job before it, but is $state"
done
one_machine_slurm_wait 120 has_segment "$out" || fail "no segment in the journal after 120 s"
scancel --signal=USR1 "${ids[campaign]}"

# Until the campaign is complete, nothing of the analysis may start: also not between its two starts.
restarted() { [[ $(job_field "${ids[campaign]}" Restarts) == 1 ]]; }
one_machine_slurm_wait 60 restarted || fail "the campaign was not requeued"
state=$(squeue --noheader --job "${ids[analysis]}" --format '%T %r')
[[ $state == "PENDING Dependency" ]] || fail "the analysis did not wait for the requeued campaign, but is $state"

for stage in train campaign analysis; do
  log=$scratch/flipstorm-synthetic-$stage-${ids[$stage]}.log
  restarts=0
  [[ $stage != campaign ]] || restarts=1
  ends_as "${ids[$stage]}" COMPLETED 0 "$restarts" "job ${ids[$stage]}, start $((restarts + 1))" "$log"
done
has_results "$out"
campaign_end=$(date --date "$(job_field "${ids[campaign]}" EndTime)" +%s)
analysis_start=$(date --date "$(job_field "${ids[analysis]}" StartTime)" +%s)
((campaign_end <= analysis_start)) || fail "the analysis started before the campaign had ended"
[[ $(job_field "${ids[analysis]}" NumTasks) == 1 && $(job_field "${ids[campaign]}" NumTasks) == 2 ]] ||
  fail "two ranks were to inject, and one to analyse"
grep -q "Table III" "$log" || fail "the last log has no report"
passed "train → campaign, stopped and requeued → forest → harden → report"

# The same again: everything is there.
submit "$job_file" --pipeline --out "$out" --set data.test_images=50 --set campaign.limit=20000 \
  --set campaign.journal_seconds=0.1
log=$scratch/flipstorm-synthetic-pipeline-${ids[pipeline]}.log
ends_as "${ids[pipeline]}" COMPLETED 0 0 "campaign.h5 is there and up to date" "$log"
passed "--pipeline finds the results of the chain up to date"

submit "$job_file" --out "$scratch/failing" --set data.kind=idx --set data.path="$scratch/no-data"
log=$scratch/flipstorm-synthetic-train-${ids[train]}.log
ends_as "${ids[train]}" FAILED 74 0 "$scratch/no-data" "$log"
for stage in campaign analysis; do
  one_machine_slurm_wait 60 job_ended "${ids[$stage]}" || fail "$stage is still there"
  [[ $(job_field "${ids[$stage]}" JobState) == CANCELLED ]] ||
    fail "$stage is $(job_field "${ids[$stage]}" JobState), not cancelled, after a failed training"
done
passed "what waits for a failed job is cancelled"

code=0
FLIPSTORM_ANALYSIS_OPTIONS="--partition=nowhere" "$source_dir/slurm/submit.sh" "$job_file" --out "$scratch/refused" \
  >"$scratch/refused.out" 2>"$scratch/refused.log" || code=$?
((code != 0)) || fail "submit.sh succeeds although sbatch failed"
[[ ! -s $scratch/refused.out ]] || fail "ids of cancelled jobs: $(cat "$scratch/refused.out")"
cancelled=$(sed -n "s/^submit.sh: sbatch failed for 'analysis'; cancelled: \([0-9]* [0-9]*\)$/\1/p" "$scratch/refused.log")
[[ -n $cancelled ]] || fail "not said what was cancelled: $(cat "$scratch/refused.log")"
for job in $cancelled; do
  one_machine_slurm_wait 60 job_ended "$job" || fail "job $job of a refused chain goes on"
  [[ $(job_field "$job" JobState) == CANCELLED ]] || fail "job $job of a refused chain is $(job_field "$job" JobState)"
done
passed "a chain that sbatch refuses in its middle is cancelled as a whole"
