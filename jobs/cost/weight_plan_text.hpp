#pragma once
// What `plan` and --dry-run say of a campaign in weights.

#include <string>

#include "engine/base/stop_request.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// Strata, sample sizes of all schemes, screens, and an estimate of the cost. \param trained  the network is
/// \throws Stopped, JobError
[[nodiscard]] std::string describe_weight_plan(const Context& context, const Campaign& campaign, bool trained,
                                               const StopRequest& stop);

}  // namespace flipstorm
