#!/bin/bash
# slurm/pipeline.sbatch on a Slurm of our own. Jobs, one after the other, on one out folder: a start that saves nothing is
# not repeated; a file STOP ends a job for good, and so does the last restart; a cancelled job does not come back; and a
# job that is told to stop in mid-campaign saves, goes back into the queue by itself, continues, completes, and all
# results are there. Then ranks that do not find each other: flipstorm refuses to be two jobs on one out folder.
#
#     tests/slurm/test_pipeline.sh FLIPSTORM_BINARY SOURCE_DIR

set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=slurm_test.sh
source "$(dirname "${BASH_SOURCE[0]}")/slurm_test.sh"
slurm_test_start "$@"

out="$scratch/the \"out\" folder"
mkdir "$out"
# Faults enough for seconds, so that it can be stopped in mid-campaign.
arguments=("$source_dir/jobs/examples/synthetic.toml" --out "$out" --set data.test_images=50
  --set campaign.limit=20000 --set campaign.journal_seconds=0.1)
log=$scratch/job.log

# submit_batch NAME=VALUE…: with these settings; from the source folder, as site.sh says. Sets job.
submit_batch() {
  : >"$log"
  job=$(cd "$source_dir" && env "$@" sbatch --parsable --ntasks=2 --cpus-per-task=1 --time=10 --output="$log" \
    slurm/pipeline.sbatch "${arguments[@]}")
}

submit_batch FLIPSTORM_MARGIN=100000  # a deadline in the past
ends_as "$job" FAILED 75 0 "no progress since the start" "$log"
passed "a start that saves nothing is not repeated"

touch "$out/STOP"
submit_batch FLIPSTORM_MARGIN=60
ends_as "$job" FAILED 75 0 "stopped by the file STOP in '$out'" "$log"
rm "$out/STOP"
passed "a file STOP ends the job"

# Counts the segments that are there; more_segments tells when there are more.
count_segments() { find "$out" -name '*.segment' | wc -l; }
more_segments() { (($(count_segments) > segments)); }
# submit_and_wait NAME=VALUE…: until the job has saved something.
submit_and_wait() {
  segments=$(count_segments)
  submit_batch "$@"
  one_machine_slurm_wait 60 more_segments || fail "no new segment in the journal after 60 s"
}

submit_and_wait FLIPSTORM_MAX_RESTARTS=0
scancel --signal=USR1 "$job"  # to the ranks, as at a time limit
ends_as "$job" FAILED 75 0 "for the last time after 0 restart(s)" "$log"
passed "after the last restart a job is not put back"

submit_and_wait FLIPSTORM_MAX_RESTARTS=1
scancel "$job"
one_machine_slurm_wait 60 job_ended "$job" || fail "the cancelled job $job is $(job_field "$job" JobState)"
[[ $(job_field "$job" JobState) == CANCELLED ]] || fail "the cancelled job $job is $(job_field "$job" JobState)"
one_machine_slurm_wait 60 one_machine_slurm_is_idle || fail "the node is not idle after scancel"
[[ -z $(squeue --noheader) ]] || fail "after scancel there is still: $(squeue)"
passed "a cancelled job does not come back"

submit_and_wait FLIPSTORM_MAX_RESTARTS=1
scancel --signal=USR1 "$job"
ends_as "$job" COMPLETED 0 1 "back into the queue" "$log"
grep -q "chunks are done already" "$log" || fail "the second start did not continue"
has_results "$out"
passed "stopped, requeued, completed on $(job_field "$job" NumTasks) ranks"

arguments+=(--fresh)
submit_batch FLIPSTORM_MPI=none  # Open MPI itself refuses that
ends_as "$job" FAILED 1 0 "FLIPSTORM_MPI is 'none'" "$log"
# Other MPI libraries make as many worlds of one rank; Open MPI does if it does not see that it is in a job.
submit_batch FLIPSTORM_MPI=none FLIPSTORM_WRAPPER="env --unset=SLURM_NODELIST"
ends_as "$job" FAILED 70 0 "started as one of 2 ranks (SLURM_STEP_NUM_TASKS), but Open MPI" "$log"
has_results "$out"
passed "ranks that do not find each other are refused, and discard nothing"

submit_batch FLIPSTORM_SITE="$scratch/no-site.sh"
ends_as "$job" FAILED 64 0 "cannot read the site settings '$scratch/no-site.sh'" "$log"
passed "missing site settings are named"
