#pragma once
// Faults in stored weights, for the injection loop.

#include <memory>

#include "jobs/campaign.hpp"
#include "jobs/chunk_work.hpp"
#include "jobs/context.hpp"

namespace flipstorm
{

/// Faults of a campaign in weights. \throws DataError, JobError: see Evaluator
[[nodiscard]] std::unique_ptr<ChunkWork> weight_work(const Context& context, const Campaign& campaign);

}  // namespace flipstorm
