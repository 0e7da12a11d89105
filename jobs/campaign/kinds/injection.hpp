#pragma once
// What is done with the planned faults of a campaign where networks can be computed, for each kind otherwise.

#include <memory>
#include <string>
#include <vector>

#include "engine/base/stop_request.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/chunk_work.hpp"
#include "jobs/campaign/injection.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// What computes them. \throws DataError, JobError: see Evaluator and TransientEvaluator. \collective
[[nodiscard]] std::unique_ptr<ChunkWork> work_of(const Context& context, const Campaign& campaign);

/// Write campaign.h5: header, rows of the faults and of what they did. \throws FileError. \collective
void write_harvest(const Context& context, const Campaign& campaign, const Golden& golden, Harvest harvest);

/// Strata, sample sizes and cost, as text. \param trained  the network is, so that its weights mean something
/// \throws Stopped, JobError, FileError
[[nodiscard]] std::string describe_faults(const Context& context, const Campaign& campaign, bool trained,
                                          const StopRequest& stop);

/// Time evaluation modes on some of the faults, and print what they are worth. \throws Stopped, JobError
StageEnd bench_faults(const Context& context, const Campaign& campaign,
                      const std::vector<EvaluationMode>& modes, const StopRequest& stop);

}  // namespace flipstorm
