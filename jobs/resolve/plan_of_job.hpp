#pragma once
// From the tables [campaign] and [transient] to the engine's plan. Pure functions of the job, the network and
// the number of test images, so that whoever has these three finds the same faults in the same chunks.

#include <memory>
#include <vector>

#include "engine/faults/plan.hpp"
#include "engine/faults/transient_plan.hpp"
#include "engine/network/network.hpp"
#include "jobs/job_file/job.hpp"

namespace flipstorm
{

/// What a job's campaign computes on a network.
struct JobPlan
{
    std::vector<InjectableLayer> layers;
    std::unique_ptr<Plan> plan;
    std::unique_ptr<TransientPlan> transient{};  ///< whose plan `plan` is; null: faults in weights
    std::uint64_t images_per_fault = 0;
};

/// The plan of a job on so many test images, whatever its target and fault model. \throws JobError if the
/// job does not fit the network or the images; FileError, DataError about transient.table
[[nodiscard]] JobPlan plan_of_job(const Job& job, const Network& network, std::uint64_t images);

/// A fault of a weight, with the values before and under it.
struct FaultyWeight
{
    WeightFault fault;
    float before = 0;
    float after = 0;
};

/// Fault of a plan of faults in weights. \throws Error if there is none of that number. Thread-safe.
[[nodiscard]] FaultyWeight faulty_weight(const Network& network, const std::vector<InjectableLayer>& layers,
                                         const Plan& plan, FaultIndex index);

/// Options of a job's plan for words of a format on so many test images, but for the priors of a data-aware
/// one. \throws JobError for an unknown scheme or fault model, or where upset_bits does not fit it.
[[nodiscard]] PlanOptions plan_options(const Job& job, NumberFormat format, std::uint64_t images);

/// Priors of a network's layers for a data-aware plan, [layer id][bit]. Thread-safe.
[[nodiscard]] std::vector<std::vector<double>> layer_priors(const Network& network,
                                                            const std::vector<InjectableLayer>& layers);

}  // namespace flipstorm
