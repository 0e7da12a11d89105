#pragma once
// Faults in stored weights, for the injection loop.

#include <memory>
#include <vector>

#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/chunk_work.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// Faults of a campaign in weights. \throws DataError, JobError: see Evaluator
/// \param golden_logits  if they are known, see golden_logits_of_all()
[[nodiscard]] std::unique_ptr<ChunkWork> weight_work(const Context& context, const Campaign& campaign,
                                                     std::vector<float> golden_logits = {});

/// Fault-free logits of all test images, a share from each rank; empty on one rank. \throws DataError
/// \collective
[[nodiscard]] std::vector<float> golden_logits_of_all(const Context& context, const Campaign& campaign);

}  // namespace flipstorm
