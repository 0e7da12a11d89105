# shellcheck shell=bash
# What the batch scripts and submit.sh share. A batch script sources it and calls run_stages, which runs stages of
# flipstorm on a job file so that the Slurm job goes on by itself after a time limit, a preemption or a node failure.
#
# Exit codes are flipstorm's: 0 complete, 64 job file, 65 input data, 74 input or output, 70 internal, and 75 stopped
# for good: by a file STOP in the out folder, after the last restart, or because a start saved nothing new.

batch_folder=$(realpath -- "$(dirname -- "${BASH_SOURCE[0]}")")

say() { printf '%s: %s\n' "$script_name" "$*" >&2; }

# Site settings, modules, and the program with the words before it in the array `flipstorm`.
read_site() {
  local site=${FLIPSTORM_SITE:-$batch_folder/site.sh} modules wrapper candidate name
  if [[ ! -r $site ]]; then
    say "cannot read the site settings '$site': FLIPSTORM_SITE should name a file like slurm/site.sh"
    return 64
  fi
  # shellcheck source-path=SCRIPTDIR source=site.sh
  source "$site"
  for name in FLIPSTORM_GPUS FLIPSTORM_MARGIN FLIPSTORM_MAX_RESTARTS; do
    if [[ ! ${!name} =~ ^(0|[1-9][0-9]{0,8})$ ]]; then
      say "$name is '${!name}', but should be a whole number: see '$site'"
      return 64
    fi
  done
  if [[ -n $FLIPSTORM_MODULES ]]; then
    read -ra modules <<<"$FLIPSTORM_MODULES"
    set +u  # few implementations of `module` bear it
    if ! module load "${modules[@]}"; then
      say "cannot load the modules '$FLIPSTORM_MODULES' of '$site'"
      return 64
    fi
    set -u
  fi
  read -ra wrapper <<<"$FLIPSTORM_WRAPPER"
  flipstorm=("${wrapper[@]}" "${FLIPSTORM:-flipstorm}")
  if [[ -z $FLIPSTORM && ${#wrapper[@]} -eq 0 ]]; then
    for candidate in "${batch_folder%/*}/build/jobs/flipstorm" "${batch_folder%/share/flipstorm/slurm}/bin/flipstorm"; do
      if [[ -x $candidate ]]; then
        flipstorm=("$candidate")
        break
      fi
    done
  fi
  if ! command -v "${flipstorm[0]}" >/dev/null; then
    say "no program '${flipstorm[0]}' (from $PWD): set FLIPSTORM, FLIPSTORM_WRAPPER or FLIPSTORM_MODULES in '$site'"
    return 64
  fi
}

# split_arguments ARGUMENT...: the job files before the first option to the array `job_files`, the rest, which goes to
# flipstorm, to `options`.
split_arguments() {
  job_files=()
  while (($# > 0)) && [[ $1 != -* ]]; do
    job_files+=("$1")
    shift
  done
  options=("$@")
  if ((${#job_files[@]} == 0)); then
    say "which job file? It comes first, before the options"
    return 64
  fi
}

# The job with all keys, as flipstorm understands it: --out and --set are heeded.
print_config() { "${flipstorm[@]}" run "$@" --print-config; }

# config_value TABLE KEY: a string from the output of print_config on stdin.
config_value() {
  local value
  value=$(sed -n "/^\[$1\]\$/,/^\[/s/^$2 = \"\(.*\)\"\$/\1/p")
  printf '%b' "${value//\\\"/\"}"  # undoes the backslashes of TOML
}

# The job's own id. That of the last task of an array is also the whole array's.
own_job_id() {
  if [[ -n ${SLURM_ARRAY_JOB_ID:-} ]]; then
    printf '%s_%s' "$SLURM_ARRAY_JOB_ID" "$SLURM_ARRAY_TASK_ID"
  else
    printf '%s' "$SLURM_JOB_ID"
  fi
}

# When the job ends, in seconds since 1970; nothing if it has no limit.
job_end() {
  local end=${SLURM_JOB_END_TIME:-}
  if [[ -z $end ]]; then
    end=$(squeue --noheader --job "$(own_job_id)" --format %e) || return 0
    end=$(date --date "$end" +%s 2>/dev/null) || return 0  # "N/A": no limit
  fi
  printf '%s' "$end"
}

# saved OUT: what is saved in the out folder: a line for each file, another one if the file is replaced. A checkpoint
# is written at every stop, so its content counts.
saved() {
  find "$1" -maxdepth 3 -type f \( \( -name '*.h5' -o -name '*.segment' -o -name '*.fit' \) -printf '%i %s %T@ %p\n' -o \
    -name '*.checkpoint' -exec cksum {} \; \) 2>/dev/null | LC_ALL=C sort || true  # there may be no such folder yet
}

# go_on_later OUT SAVED_BEFORE RESTARTS: back into the queue, if that makes sense.
go_on_later() {
  local out=$1 saved_before=$2 restarts=$3 id state
  id=$(own_job_id)
  if [[ -e $out/STOP ]]; then
    say "stopped by the file STOP in '$out': not put back into the queue; remove it and submit again to go on"
  elif [[ -z $(LC_ALL=C comm -13 <(printf '%s\n' "$saved_before") <(saved "$out")) ]]; then
    say "no progress since the start: no new result, checkpoint or journal segment in '$out', so not put back into" \
      "the queue; a few faults must fit into the time limit less FLIPSTORM_MARGIN ($FLIPSTORM_MARGIN s)"
  elif ((restarts >= FLIPSTORM_MAX_RESTARTS)); then
    say "stopped with progress saved, for the last time after $restarts restart(s): submit again to go on"
  else
    # Who cancels a job does not want it back.
    state=$(squeue --noheader --job "$id" --format %T) || state=unknown
    if [[ $state != RUNNING ]]; then
      say "stopped with progress saved; the job is $state, so not put back into the queue: submit again to go on"
      return
    fi
    say "stopped with progress saved; back into the queue"
    scontrol requeue "$id"
  fi
}

# run_stages SCRIPT STAGES ARGUMENT...: the whole batch script. SCRIPT is its name, STAGES are commands of flipstorm
# separated by blanks, each run by one srun, ARGUMENTs are job files and options of flipstorm. One task of an array takes
# the job file of its number, counted from 0.
run_stages() {
  script_name=$1
  local stages stage
  read -ra stages <<<"$2"
  shift 2
  if [[ -z ${SLURM_JOB_ID:-} ]]; then
    say "this is a batch script: sbatch slurm/$script_name JOB.toml, or slurm/submit.sh JOB.toml"
    return 64
  fi
  read_site
  split_arguments "$@"
  local task=${SLURM_ARRAY_TASK_ID:-0}
  if [[ -z ${SLURM_ARRAY_TASK_ID:-} ]] && ((${#job_files[@]} > 1)); then
    say "${#job_files[@]} job files, but not an array: add --array=0-$((${#job_files[@]} - 1)) to sbatch"
    return 64
  fi
  if ((task >= ${#job_files[@]})); then
    say "task $task of the array has no job file: ${#job_files[@]} job file(s) need --array=0-$((${#job_files[@]} - 1))"
    return 64
  fi

  local restarts=${SLURM_RESTART_COUNT:-0} arguments=("${job_files[task]}") option
  for option in "${options[@]}"; do
    # What --fresh was to discard was discarded at the first start; what is there now is this job's own.
    [[ $option == --fresh ]] && ((restarts > 0)) && continue
    arguments+=("$option")
  done

  local out saved_before
  out=$(print_config "${arguments[@]}" | config_value job out)
  if [[ -z $out ]]; then
    say "'flipstorm run --print-config' names no out folder"
    return 70
  fi
  saved_before=$(saved "$out")

  local cpus=${SLURM_CPUS_PER_TASK:-1} srun_options end deadline=()
  end=$(job_end)
  if [[ -n $end ]]; then deadline=(--deadline $((end - FLIPSTORM_MARGIN))); fi
  export OMP_NUM_THREADS=$cpus OMP_PLACES=cores OMP_PROC_BIND=close
  read -ra srun_options <<<"$FLIPSTORM_SRUN_OPTIONS"
  if [[ -n ${SLURM_GPUS_PER_TASK:-} ]]; then
    srun_options=(--gpus-per-task="$SLURM_GPUS_PER_TASK"
      --gpu-bind="${FLIPSTORM_GPU_BIND:-per_task:${SLURM_GPUS_PER_TASK##*:}}" "${srun_options[@]}")
  fi
  # --cpus-per-task: srun does not take it from the job. --export: the job may have come without an environment.
  # --wait: if a rank dies, the others do not wait for it in vain until the time limit.
  srun_options=(--mpi="$FLIPSTORM_MPI" --cpus-per-task="$cpus" --export=ALL --wait=60 "${srun_options[@]}")
  say "job $(own_job_id), start $((restarts + 1)), ${SLURM_NTASKS:-one} rank(s) with $cpus thread(s) on" \
    "$SLURM_JOB_NODELIST: ${stages[*]} ${job_files[task]}"

  local code=0
  for stage in "${stages[@]}"; do
    say "srun ${srun_options[*]} ${flipstorm[*]} $stage ${arguments[*]} ${deadline[*]}"
    srun "${srun_options[@]}" "${flipstorm[@]}" "$stage" "${arguments[@]}" "${deadline[@]}" || code=$?
    ((code == 0)) || break
  done
  case $code in
    75) go_on_later "$out" "$saved_before" "$restarts" ;;
    0 | 64 | 65 | 70 | 74) ;;
    *)
      say "srun ended with $code, which is no exit code of flipstorm's: a rank died, or MPI did not start;" \
        "FLIPSTORM_MPI is '$FLIPSTORM_MPI' and has to be one of 'srun --mpi=list' that the MPI library knows"
      ;;
  esac
  return "$code"
}
