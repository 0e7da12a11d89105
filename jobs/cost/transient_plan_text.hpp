#pragma once
// What `plan` and --dry-run say of a campaign of transient faults.

#include <string>

#include "engine/faults/transient_plan.hpp"
#include "jobs/campaign/campaign.hpp"

namespace flipstorm
{

/// Strata, sample sizes and cost. \param rules  what the faults look like, as a sentence
[[nodiscard]] std::string describe_transient_plan(const Job& job, const Campaign& campaign,
                                                  const TransientPlan& plan, const std::string& rules);

}  // namespace flipstorm
