#pragma once
// Which accelerator and how many threads a rank uses on its node.

#include <vector>

#include "mpi/communicator.hpp"

namespace flipstorm
{

/// Logical processors by the operating system's numbers, ascending.
using CpuSet = std::vector<int>;

/**
 * Accelerator of a rank: its node-local rank modulo the devices *visible* to it (Slurm may show each rank its
 * own only); −1, the CPU, when none is visible. Pure.
 *
 * \param ranks_per_device  so many ranks of a node share a device at most, and those with higher node-local
 *                          ranks are left with the CPU; 0: all ranks share the devices
 */
[[nodiscard]] int choose_device(int local_rank, int visible_devices, int ranks_per_device = 0);

/**
 * Threads of a rank, at least 1. Pure.
 *
 * `requested` if positive (the job file), else `omp_num_threads` if positive (the environment), else its
 * share of the processors: each processor counts 1/(ranks of the node that may run on it). So ranks bound to
 * processors of their own use them all, and ranks that share a set divide it, rounded down.
 *
 * \throws Error if `local_rank` is not one of `cpus_of_ranks`.
 */
[[nodiscard]] int threads_per_rank(const std::vector<CpuSet>& cpus_of_ranks, int local_rank,
                                   int omp_num_threads, int requested);

/// First number of OMP_NUM_THREADS ("4", "4,2"); 0 if `value` is null or no positive number. Pure.
[[nodiscard]] int parse_omp_num_threads(const char* value);

/// Processors that this process may run on. Includes those of the OpenMP places: with OMP_PROC_BIND the
/// OpenMP library has already pinned the calling thread to the first. \throws Error if the system does not
/// say.
[[nodiscard]] CpuSet allowed_cpus();

/// allowed_cpus() of every rank of a node, in rank order. \collective
[[nodiscard]] std::vector<CpuSet> gather_allowed_cpus(const Communicator& node);

}  // namespace flipstorm
