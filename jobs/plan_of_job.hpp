#pragma once
// From the [campaign] table to the engine's plan.

#include "engine/faults/plan.hpp"
#include "jobs/job.hpp"

namespace flipstorm
{

/// Options of a job's plan on so many test images. \throws JobError for an unknown scheme.
PlanOptions plan_options(const Job& job, std::uint64_t images);

}  // namespace flipstorm
