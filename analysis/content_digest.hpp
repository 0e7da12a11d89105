#pragma once
// What a campaign or a forest says, as one digest: later stages depend on the content of a file, not on when,
// where and how fast it was made. Pure functions, thread-safe.

#include <string>

#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/forest_file.hpp"

namespace flipstorm
{

/**
 * SHA-256 over layers, strata, golden columns, tolerances and every column of faults and outcomes, 64
 * hexadecimal digits. Each column goes in with its length, values as stored in memory (NaN by its bits).
 */
std::string content_digest(const CampaignRecord& campaign);

/**
 * SHA-256 over what the hardening stage reads of a forest: kind, features, test share and seed (they name the
 * held-out faults), tolerances with their sample and trees, the map's tolerance, and the map.
 */
std::string content_digest(const ForestRecord& forest);

}  // namespace flipstorm
