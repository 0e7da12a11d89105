#pragma once
// What fault-aware training costs: steps with and without injection, timed in turns on the same batches.

#include <cstdint>
#include <string>
#include <vector>

#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// Steps of both kinds; the k-th of each were on the same images, one right after the other.
struct TrainingBench
{
    std::vector<double> plain;   ///< seconds of the steps without faults
    std::vector<double> faulty;  ///< seconds of the steps with a fault
};

/// Value below which `share` of the values lie, interpolated between neighbours. \throws Error if there are
/// none.
[[nodiscard]] double quantile(std::vector<double> values, double share);

/// What injection adds to a step, as a share of the median step without: (faulty − plain) / median(plain),
/// pair by pair.
[[nodiscard]] std::vector<double> injection_costs(const TrainingBench& bench);

/// The figures as text.
[[nodiscard]] std::string training_bench_text(const TrainingBench& bench);

/**
 * Time training steps of the job with its fault-aware training and without, for about bench.seconds, and
 * print the difference. Trains a fresh network, with steps of both kinds in turns, and does not keep it.
 *
 * \throws JobError if the job trains without faults
 */
StageEnd run_training_bench(const Context& context);

}  // namespace flipstorm
