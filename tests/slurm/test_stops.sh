#!/bin/bash
# A campaign that Slurm interrupts, on a Slurm of our own: a job whose time limit is too short stops itself before the
# limit, is requeued, continues and completes; so does one that gets USR1 from scancel, as it comes from Slurm before a
# time limit. Each campaign.h5 equals, dataset by dataset, that of a job which nothing interrupted.
#
#     tests/slurm/test_stops.sh FLIPSTORM_BINARY SOURCE_DIR

set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=slurm_test.sh
source "$(dirname "${BASH_SOURCE[0]}")/slurm_test.sh"
slurm_test_start "$@"

job_file=$source_dir/jobs/examples/synthetic.toml
"$binary" train "$job_file" --out "$scratch/model" --quiet || fail "training ended with $?"

# submit_campaign OUT LIMIT SBATCH_OPTION…: sets job and log.
submit_campaign() {
  local out=$1 limit=$2
  shift 2
  submit "$job_file" --out "$out" --set model.file="$scratch/model/model.h5" --set campaign.limit="$limit" \
    --set campaign.evaluation=reference --set campaign.journal_seconds=0.1 -- \
    --ntasks=2 --cpus-per-task=1 "$@"
  [[ -z ${ids[train]:-} ]] || fail "a job was submitted to train a model that is there"
  job=${ids[campaign]}
  scancel "${ids[analysis]}"
  log=$scratch/flipstorm-synthetic-campaign-$job.log
}

# How long is the uninterrupted job? The interrupted one has 15 s a start, start-up included; it has to need more than
# one, and not many. The machine may be slower or faster the next time. (Few faults that take long: `reference`.)
limit=500
while :; do
  submit_campaign "$scratch/whole-$limit" "$limit" --time=10
  ends_as "$job" COMPLETED 0 0 "now in" "$log"
  seconds=$(grep -oP 'now in \K\S+(?= s )' "$log")
  echo "$limit faults took $seconds s"
  awk "BEGIN { exit !($seconds >= 12) }" && break
  limit=$(awk "BEGIN { printf \"%d\", $limit * ($seconds < 3 ? 6 : 18 / $seconds) }")
done
whole=$scratch/whole-$limit/campaign.h5

# same_as_whole OUT: campaign.h5 equals the uninterrupted one in every dataset.
same_as_whole() {
  /usr/bin/python3 -B "$source_dir/tests/slurm/compare_campaigns.py" "$1/campaign.h5" "$whole" ||
    fail "'$1/campaign.h5' is not that of the uninterrupted job"
}

export FLIPSTORM_MARGIN=45
while :; do
  submit_campaign "$scratch/short-$limit" "$limit" --time=1 --signal=USR1@1
  one_machine_slurm_wait 300 job_ended "$job" || fail "job $job has not ended after 300 s"
  restarts=$(job_field "$job" Restarts)
  ends_as "$job" COMPLETED 0 "$restarts" "" "$log"
  ((restarts == 0)) || break
  echo "not interrupted: the machine has become faster"
  limit=$((limit * 2))
  submit_campaign "$scratch/whole-$limit" "$limit" --time=10
  ends_as "$job" COMPLETED 0 0 "now in" "$log"
  whole=$scratch/whole-$limit/campaign.h5
done
[[ $(grep -c "stopped by deadline .* reached" "$log") == "$restarts" ]] || fail "the deadline did not stop every start"
grep -q "chunks are done already" "$log" || fail "the last start did not continue"
if grep -q "CANCELLED.*DUE TO TIME LIMIT" "$log"; then fail "a start ran into the time limit"; fi
same_as_whole "$scratch/short-$limit"
passed "stopped itself before the time limit $restarts time(s), requeued, completed, same outcomes"

submit_campaign "$scratch/signalled" "$limit" --time=10
one_machine_slurm_wait 60 has_segment "$scratch/signalled" || fail "no segment in the journal after 60 s"
scancel --signal=USR1 "$job"
ends_as "$job" COMPLETED 0 1 "signal SIGUSR1" "$log"
same_as_whole "$scratch/signalled"
passed "stopped by scancel --signal=USR1, requeued, completed, same outcomes"
