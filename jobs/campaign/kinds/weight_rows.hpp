#pragma once
// campaign.h5 of faults in weights.

#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/injection.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// Write header, faults and outcomes of a campaign in weights. \throws FileError. \collective
void write_weight_campaign(const Context& context, const Campaign& campaign, const Golden& golden,
                           Harvest harvest);

}  // namespace flipstorm
