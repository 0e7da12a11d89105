#pragma once
// What computes transient faults, for the injection loop.

#include <memory>

#include "engine/faults/transient_plan.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/chunk_work.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// Faults of a campaign of transient faults, whose plan must outlive it. \throws DataError, JobError: see
/// TransientEvaluator. \collective
[[nodiscard]] std::unique_ptr<ChunkWork> transient_work(const Context& context, const Campaign& campaign,
                                                        const TransientPlan& plan);

}  // namespace flipstorm
