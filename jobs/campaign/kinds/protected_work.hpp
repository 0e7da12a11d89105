#pragma once
// What computes upsets of a protected memory, for the injection loop.

#include <memory>
#include <string>

#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/chunk_work.hpp"
#include "jobs/campaign/kinds/protected.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/**
 * Upsets of a protected memory: each is decoded as the hardware would, and only what reads otherwise then is
 * evaluated, as WordWork does. \throws DataError, JobError: see Evaluator. \collective
 */
[[nodiscard]] std::unique_ptr<ChunkWork> protected_work(const Context& context, const Campaign& campaign,
                                                        const ProtectedFaults& faults);

/// Parts of the memory, their bits and how many upsets of them are planned, as text.
[[nodiscard]] std::string describe_protected_plan(const Context& context, const ProtectedFaults& faults);

}  // namespace flipstorm
