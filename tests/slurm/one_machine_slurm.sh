# shellcheck shell=bash
# A Slurm of its own on this machine, for tests: munged, slurmctld and slurmd, run by root, without systemd, with
# all their files in one scratch folder and on free ports. A Slurm that is on the machine already is not touched.
#
#     source tests/slurm/one_machine_slurm.sh
#     one_machine_slurm_missing && exit 77          # says what is missing
#     trap one_machine_slurm_stop EXIT
#     one_machine_slurm_start FOLDER CPUS           # returns when the node is idle; others must be able to
#                                                   # pass through the folder's parents (chmod 711)
#
# Slurm counts two GPUs on the node. They are /dev/null and /dev/zero: enough to see which one is given to whom.
#
# Afterwards SLURM_CONF makes sbatch, srun, squeue … talk to it. The daemons also end when this shell dies.

one_machine_slurm_pids=()

# True, and says why, if this machine cannot run the test.
one_machine_slurm_missing() {
  local program
  if ((EUID != 0)); then
    echo "skipped: not root, whom slurmd needs"
    return 0
  fi
  if ! grep -q ' /sys/fs/cgroup' /proc/mounts; then
    echo "skipped: no cgroup file system at /sys/fs/cgroup, which slurmd needs"
    return 0
  fi
  for program in munged slurmctld slurmd sbatch srun scontrol sinfo scancel setpriv ss; do
    command -v "$program" >/dev/null && continue
    echo "skipped: no $program (Debian: apt install slurm-wlm munge)"
    return 0
  done
  return 1
}

# A TCP port that nobody listens on, other than the ports given.
one_machine_slurm_free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 10000))
    [[ " $* " == *" $port "* ]] && continue
    [[ -z $(ss --no-header --listening --tcp --numeric "sport = :$port") ]] && break
  done
  echo "$port"
}

# Wait until a command succeeds: one_machine_slurm_wait SECONDS COMMAND...
one_machine_slurm_wait() {
  local give_up=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < give_up)) || return 1
    sleep 0.2
  done
}

one_machine_slurm_is_idle() { [[ $(timeout 5 sinfo --noheader --format %T 2>/dev/null) == idle ]]; }

# Start a daemon in the foreground of a child that dies with this shell.
one_machine_slurm_daemon() {
  local log=$1
  shift
  setpriv --pdeathsig TERM "$@" >>"$log" 2>&1 </dev/null &
  one_machine_slurm_pids+=("$!")
}

one_machine_slurm_start() {
  local folder=$1 cpus=$2 host controller_port daemon_port variable
  host=$(hostname -s)
  # Inside another Slurm's job, or with site settings, its variables would lead the commands astray.
  for variable in "${!SLURM_@}" "${!SBATCH_@}" "${!SRUN_@}"; do unset "$variable"; done
  mkdir -p "$folder"/{state,spool,munge}
  chmod 755 "$folder"
  chmod 711 "$folder/munge"
  controller_port=$(one_machine_slurm_free_port)
  daemon_port=$(one_machine_slurm_free_port "$controller_port")

  (umask 077 && head -c 1024 /dev/urandom >"$folder/munge/key")
  export SLURM_CONF=$folder/slurm.conf
  # cred_expire and sched_interval also decide how long a requeued job waits: minutes by default.
  printf '%s\n' 'Name=gpu File=/dev/null' 'Name=gpu File=/dev/zero' >"$folder/gres.conf"
  cat >"$SLURM_CONF" <<CONF
ClusterName=onemachine
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller_port
SlurmdPort=$daemon_port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
KillWait=5
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus Gres=gpu:2 State=UNKNOWN
PartitionName=test Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF

  one_machine_slurm_daemon "$folder/munge/out" munged --foreground --key-file="$folder/munge/key" \
    --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" \
    --seed-file="$folder/munge/seed"
  one_machine_slurm_wait 10 test -S "$folder/munge/socket" || {
    echo "munged did not start:"
    cat "$folder/munge/out"
    return 1
  }
  one_machine_slurm_daemon "$folder/slurmctld.out" slurmctld -D -f "$SLURM_CONF"
  one_machine_slurm_daemon "$folder/slurmd.out" slurmd -D -f "$SLURM_CONF" -N "$host"
  one_machine_slurm_wait 30 one_machine_slurm_is_idle || {
    echo "the node did not become idle:"
    sinfo --Node --long || true
    tail -n 20 "$folder/slurmctld.out" "$folder/slurmd.out"
    return 1
  }
}

# End all jobs, then the daemons in reverse order. May be called when nothing runs.
one_machine_slurm_stop() {
  local i
  ((${#one_machine_slurm_pids[@]} > 0)) || return 0
  if timeout 5 scontrol ping >/dev/null 2>&1; then
    timeout 10 scancel --quiet --user=root 2>/dev/null || true
    one_machine_slurm_wait 10 one_machine_slurm_is_idle || true
  fi
  for ((i = ${#one_machine_slurm_pids[@]} - 1; i >= 0; --i)); do
    kill "${one_machine_slurm_pids[i]}" 2>/dev/null || true
    wait "${one_machine_slurm_pids[i]}" 2>/dev/null || true
  done
  one_machine_slurm_pids=()
}
