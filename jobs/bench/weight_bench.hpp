#pragma once
// What a campaign in weights takes: the same faults in every evaluation mode, timed and held against each
// other.

#include <vector>

#include "engine/base/stop_request.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// Time the modes, each for about bench.seconds, and print what they are worth. \throws Stopped, FileError
StageEnd run_weight_bench(const Context& context, const Campaign& campaign,
                          const std::vector<EvaluationMode>& kinds, const StopRequest& stop);

}  // namespace flipstorm
