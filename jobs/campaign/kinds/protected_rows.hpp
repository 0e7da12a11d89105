#pragma once
// campaign.h5 of upsets of a protected memory.

#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/injection.hpp"
#include "jobs/campaign/kinds/protected.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// Write header, upsets and outcomes. \throws FileError. \collective
void write_protected_campaign(const Context& context, const Campaign& campaign, const ProtectedFaults& faults,
                              const Golden& golden, Harvest harvest);

}  // namespace flipstorm
