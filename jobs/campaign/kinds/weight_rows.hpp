#pragma once
// campaign.h5 of faults in weights.

#include <functional>

#include "hdf5_schema/campaign_file.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/injection.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// Puts into a row what a kind of faults alone knows of it: values, and columns of its own.
using MemoryRows = std::function<void(FaultIndex, FaultTable&, OutcomeTable&, std::uint64_t row)>;

/// Write header, faults and outcomes of a campaign in stored words. \param memory_sha256  of a protected
/// memory \throws FileError. \collective
void write_memory_campaign(const Context& context, const Campaign& campaign, const Golden& golden,
                           Harvest harvest, const MemoryRows& fill, const std::string& memory_sha256 = {},
                           const SiteTable& sites = {});

/// Write header, faults and outcomes of a campaign in weights. \throws FileError. \collective
void write_weight_campaign(const Context& context, const Campaign& campaign, const WeightFaults& faults,
                           const Golden& golden, Harvest harvest);

}  // namespace flipstorm
