# shellcheck shell=bash
# What differs from one supercomputer to the next: edit this file once. It is read twice: by you before
# submitting (`source slurm/site.sh`; sbatch takes partition and account from the SBATCH_… variables), and by
# slurm/pipeline.sbatch inside the job. A variable that is already set keeps its value.

# Submission. Empty: Slurm's default.
: "${FLIPSTORM_PARTITION:=}"
: "${FLIPSTORM_ACCOUNT:=}"
if [[ -n $FLIPSTORM_PARTITION ]]; then export SBATCH_PARTITION=$FLIPSTORM_PARTITION; fi
if [[ -n $FLIPSTORM_ACCOUNT ]]; then export SBATCH_ACCOUNT=$FLIPSTORM_ACCOUNT; fi

# Modules to load inside the job, separated by blanks, e.g. "gcc/12 openmpi/4.1 hdf5/1.14-parallel".
: "${FLIPSTORM_MODULES:=}"

# The program; a bare name is looked up in PATH, a relative path counts from the folder of submission.
: "${FLIPSTORM:=build/jobs/flipstorm}"

# How srun starts MPI ranks: one of `srun --mpi=list` that the MPI library was built for. With a wrong one each
# rank believes to be alone.
: "${FLIPSTORM_MPI:=pmix}"

# flipstorm saves and stops so many seconds before the time limit of the job, and is started again at most so
# many times.
: "${FLIPSTORM_MARGIN:=120}"
: "${FLIPSTORM_MAX_RESTARTS:=100}"

export FLIPSTORM_PARTITION FLIPSTORM_ACCOUNT FLIPSTORM_MODULES FLIPSTORM FLIPSTORM_MPI FLIPSTORM_MARGIN
export FLIPSTORM_MAX_RESTARTS
