#pragma once
// campaign.h5 of transient faults.

#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/injection.hpp"
#include "jobs/campaign/kinds/transient.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// Write header, faults and outcomes of a campaign of transient faults. \throws FileError. \collective
void write_transient_campaign_of(const Context& context, const Campaign& campaign, const TransientKind& kind,
                                 const TransientPlan& plan, const Golden& golden, Harvest harvest);

}  // namespace flipstorm
