#!/bin/bash
# Submits flipstorm jobs to Slurm: see submit.sh --help.

set -euo pipefail

script_name=submit.sh
# shellcheck source-path=SCRIPTDIR source=batch.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/batch.sh"

usage() {
  cat <<'USAGE'
usage: slurm/submit.sh [--pipeline] [--dry-run] JOB.toml... [FLIPSTORM OPTIONS] [-- SBATCH OPTIONS]

Checks the job files, submits training → campaign → analysis (→ verify, where harden.verify says so) as Slurm jobs that
wait for each other, and prints their ids, one `NAME ID` per line. Each job goes on by itself after its time limit;
those behind it wait for its end, and are cancelled if it fails. Stages that the job file makes needless (model.file, forest.campaign) are not submitted.

  --pipeline         one Slurm job for all stages
  --dry-run          print the sbatch commands and submit nothing
  FLIPSTORM OPTIONS  --set KEY=VALUE (repeatable), --out DIR, --fresh, --quiet: for every stage
  SBATCH OPTIONS     for every job, after those of the site settings, e.g. -- --time=12:00:00 --nodes=4

Several job files (number formats × networks, say) become arrays with a task for each: task k of the campaign waits for
task k of the training only. Each needs an out folder of its own.

Logs: flipstorm-NAME-STAGE-ID.log in the current folder, with the job's name; flipstorm-STAGE-ID_TASK.log for arrays.
Site settings: slurm/site.sh, or the file that FLIPSTORM_SITE names; any of its variables may be set in the environment.
Exit codes: 0 submitted, 64 command line, site settings or job file, else that of sbatch.
USAGE
}

wrong() {
  say "$*; --help shows the usage"
  exit 64
}

pipeline=false
dry_run=false
job_files=()
options=()       # for flipstorm
user_options=()  # for sbatch
out_given=false
while (($# > 0)); do
  case $1 in
    --help | -h)
      usage
      exit 0
      ;;
    --pipeline) pipeline=true ;;
    --dry-run) dry_run=true ;;
    --fresh | --quiet) options+=("$1") ;;
    --set | --out)
      (($# > 1)) || wrong "$1 needs a value"
      [[ $1 != --out ]] || out_given=true
      options+=("$1" "$2")
      shift
      ;;
    --set=* | --out=*)
      [[ $1 != --out=* ]] || out_given=true
      options+=("$1")
      ;;
    --)
      shift
      user_options=("$@")
      break
      ;;
    -*) wrong "unknown option '$1' (options of sbatch come after --)" ;;
    *) job_files+=("$1") ;;
  esac
  shift
done
((${#job_files[@]} > 0)) || wrong "which job file?"
if $out_given && ((${#job_files[@]} > 1)); then
  wrong "--out with ${#job_files[@]} job files: they would share one out folder"
fi
read_site
if ((FLIPSTORM_MARGIN < 2 || FLIPSTORM_MARGIN > 65535)); then
  say "FLIPSTORM_MARGIN is $FLIPSTORM_MARGIN s, but should be in 2 … 65535"
  exit 64
fi
if ! $dry_run && ! command -v sbatch >/dev/null; then
  say "no program 'sbatch': this is for the login node of a cluster with Slurm"
  exit 64
fi

# The job files have to be right before anything waits in a queue.
need_model=false     # of any job
need_campaign=false
need_verify=false
declare -A job_of_out
for job_file in "${job_files[@]}"; do
  config=$(print_config "$job_file" "${options[@]}") || exit
  out=$(realpath --canonicalize-missing -- "$(config_value job out <<<"$config")")
  if [[ -n ${job_of_out[$out]:-} ]]; then
    say "'${job_of_out[$out]}' and '$job_file' have one out folder, '$out': give each its own job.out"
    exit 64
  fi
  job_of_out[$out]=$job_file
  [[ -n $(config_value model file <<<"$config") ]] || need_model=true
  [[ -n $(config_value forest campaign <<<"$config") ]] || need_campaign=true
  if grep -qx 'verify = true' <<<"$config"; then need_verify=true; fi
done
stages=(analysis)
if $need_verify; then stages+=(verify); fi
if $need_campaign; then stages=(campaign "${stages[@]}"); fi
if $need_campaign && $need_model; then stages=(train "${stages[@]}"); fi
if $pipeline; then stages=(pipeline); fi

array=()
name=
depends=afterok
log='flipstorm-%x-%j.log'
if ((${#job_files[@]} > 1)); then
  array=(--array="0-$((${#job_files[@]} - 1))")
  depends=aftercorr
  log='flipstorm-%x-%A_%a.log'
else
  name=$(config_value job name <<<"$config")-
fi
export FLIPSTORM_SLURM=$batch_folder
read -ra compute_options <<<"$FLIPSTORM_COMPUTE_OPTIONS"
read -ra analysis_options <<<"$FLIPSTORM_ANALYSIS_OPTIONS"
if ((FLIPSTORM_GPUS > 0)); then compute_options+=(--gpus-per-task="$FLIPSTORM_GPUS"); fi

submitted=()
give_up() {
  local code=$1
  say "sbatch failed for '$2'${submitted[*]:+; cancelled: ${submitted[*]}}"
  ((${#submitted[@]} == 0)) || scancel "${submitted[@]}"
  exit "$code"
}

previous=
lines=()
for stage in "${stages[@]}"; do
  # USR1 is the second line behind flipstorm's own deadline: see the batch scripts.
  command=(sbatch --parsable --export=ALL --job-name="$name$stage" --output="$log"
    --signal="USR1@$((FLIPSTORM_MARGIN / 2))" "${array[@]}")
  if [[ -n $previous ]]; then command+=(--dependency="$depends:$previous" --kill-on-invalid-dep=yes); fi
  if [[ $stage == analysis ]]; then
    command+=("${user_options[@]}" --nodes=1 --ntasks=1 --ntasks-per-node=1 "${analysis_options[@]}")
  else
    command+=("${compute_options[@]}" "${user_options[@]}")
  fi
  command+=("$batch_folder/$stage.sbatch" "${job_files[@]}" "${options[@]}")
  if $dry_run; then
    printf -v line ' %q' "${command[@]}"
    lines+=("${line# }")
    previous="ID_OF_${stage^^}"
    continue
  fi
  id=$("${command[@]}") || give_up $? "$stage"
  previous=${id%%;*}  # sbatch says ID;CLUSTER where there are several
  submitted+=("$previous")
  lines+=("$stage $previous")
done
((${#lines[@]} == 0)) || printf '%s\n' "${lines[@]}"
