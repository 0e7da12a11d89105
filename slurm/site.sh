# shellcheck shell=bash
# What differs from one supercomputer to the next: edit this file once. It is read by submit.sh on the login node
# and by batch.sh inside each job; whoever calls sbatch without submit.sh sources it before. A variable that is
# already set keeps its value. FLIPSTORM_SITE names another file to read instead of this one.

# Submission. Empty: Slurm's default.
: "${FLIPSTORM_PARTITION:=}"
: "${FLIPSTORM_ACCOUNT:=}"
if [[ -n $FLIPSTORM_PARTITION ]]; then export SBATCH_PARTITION=$FLIPSTORM_PARTITION; fi
if [[ -n $FLIPSTORM_ACCOUNT ]]; then export SBATCH_ACCOUNT=$FLIPSTORM_ACCOUNT; fi

# sbatch options that submit.sh adds, separated by blanks: for training, campaign and the whole pipeline (one MPI rank
# per GPU or per CPU socket), and for the analysis (always one rank; it has use for many threads).
#   e.g. FLIPSTORM_COMPUTE_OPTIONS="--nodes=4 --ntasks-per-node=2 --cpus-per-task=32 --time=24:00:00"
#        FLIPSTORM_ANALYSIS_OPTIONS="--cpus-per-task=64 --time=01:00:00"
: "${FLIPSTORM_COMPUTE_OPTIONS:=}"
: "${FLIPSTORM_ANALYSIS_OPTIONS:=}"

# GPUs per rank (0: none), which submit.sh asks for, except for the analysis; Slurm needs a number of tasks with it. And
# how srun binds them to ranks: by default `per_task:N`, each rank sees its own only. With `closest` or `none` a rank
# sees several, and takes the one of its number on the node.
: "${FLIPSTORM_GPUS:=0}"
: "${FLIPSTORM_GPU_BIND:=}"

# Modules to load, separated by blanks, e.g. "gcc/12 openmpi/4.1 hdf5/1.14-parallel".
: "${FLIPSTORM_MODULES:=}"

# The program; a bare name is looked up in PATH, a relative path counts from the folder of submission. Empty: the one
# built or installed beside this folder, else flipstorm in PATH.
: "${FLIPSTORM:=}"

# Words before the program, separated by blanks, e.g. "apptainer exec --nv /sw/flipstorm.sif" (flipstorm.def).
: "${FLIPSTORM_WRAPPER:=}"

# How srun starts MPI ranks: one of `srun --mpi=list` that the MPI library was built for; with a wrong one each rank
# would be alone, which flipstorm refuses. And more options for srun, e.g. "--cpu-bind=cores --distribution=block".
: "${FLIPSTORM_MPI:=pmix}"
: "${FLIPSTORM_SRUN_OPTIONS:=}"

# flipstorm saves and stops so many seconds before the time limit of the job, and is started again at most so
# many times.
: "${FLIPSTORM_MARGIN:=120}"
: "${FLIPSTORM_MAX_RESTARTS:=100}"

export "${!FLIPSTORM@}"
