#pragma once
// From the table [campaign] to options of the engine's plan. Pure functions of the job, the network and the
// number of test images, so that whoever has these three finds the same faults in the same chunks.

#include <cstdint>
#include <vector>

#include "engine/faults/plan.hpp"
#include "engine/network/network.hpp"
#include "jobs/job_file/job.hpp"

namespace flipstorm
{

/// Options of a job's plan for all injectable layers of a network on so many test images, but for the priors
/// of a data-aware one. \throws JobError for an unknown scheme or fault model, or where upset_bits does not
/// fit it.
[[nodiscard]] PlanOptions plan_options(const Job& job, const std::vector<InjectableLayer>& layers,
                                       std::uint64_t images);

/// Priors of a network's layers for a data-aware plan, [layer id][bit]. Thread-safe.
[[nodiscard]] std::vector<std::vector<double>> layer_priors(const Network& network,
                                                            const std::vector<InjectableLayer>& layers);

/// What of the network is in the memory that is struck.
[[nodiscard]] std::vector<TensorKind> struck_parameters(const Job& job);

}  // namespace flipstorm
