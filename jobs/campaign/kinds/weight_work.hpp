#pragma once
// What computes faults in stored weights, for the injection loop.

#include <memory>

#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/chunk_work.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// Faults of a campaign in weights. The ranks share the golden pass. \throws DataError, JobError: see
/// Evaluator. \collective
[[nodiscard]] std::unique_ptr<ChunkWork> weight_work(const Context& context, const Campaign& campaign,
                                                     const WeightFaults& faults);

/// The change that a fault of a campaign in weights makes, with the fault's number.
[[nodiscard]] WeightChange change_of(const Campaign& campaign, FaultIndex fault);

}  // namespace flipstorm
