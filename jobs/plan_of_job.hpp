#pragma once
// From the [campaign] table to the engine's plan.

#include <vector>

#include "engine/faults/plan.hpp"
#include "engine/network/network.hpp"
#include "jobs/job.hpp"

namespace flipstorm
{

/// Options of a job's plan on so many test images, but for the priors of a data-aware one. \throws JobError
/// for an unknown scheme or fault model, or where upset_bits does not fit it.
PlanOptions plan_options(const Job& job, std::uint64_t images);

/// Priors of a network's layers for a data-aware plan, [layer id][bit]. Thread-safe.
std::vector<std::vector<double>> layer_priors(const Network& network,
                                              const std::vector<InjectableLayer>& layers);

/// Options of a job's plan for a network, priors included. \throws JobError as plan_options.
PlanOptions plan_options(const Job& job, const Network& network, const std::vector<InjectableLayer>& layers,
                         std::uint64_t images);

}  // namespace flipstorm
