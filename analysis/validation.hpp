#pragma once
// What a map is worth where nothing was injected: its judgement by faults that its campaign did not have.

#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/forest_file.hpp"

namespace flipstorm
{

/**
 * Judge the map of a forest by the faults of another campaign on the same network and images.
 *
 * Faults whose outcome the map knows, and stuck-at faults that change nothing, are left out. The others count
 * by what they stand for in their campaign (fault_weights). Shares have the intervals of Clopper and Pearson
 * for Kish's effective number of faults, the other scores the 2.5 and 97.5 per cent points of 200 Poisson
 * resamples; a campaign of every fault leaves no doubt.
 *
 * Beside each score stands that of a table of critical shares by layer and bit, learnt from all faults of
 * the map's campaign. It flags as many bits as the map does, those of the highest shares; of those of an
 * equal share, that not all are flagged of, the expected part.
 *
 * \param campaign  that the map was learnt from
 * \param other     that judges it
 * \throws DataError if the campaigns are not of one network, images and fault model, `other` has no fault
 * that the map does not know, or stopped one before its class for the map's tolerance was known; Stopped.
 */
[[nodiscard]] ValidationRecord validate_map(const ForestRecord& forest, const CampaignRecord& campaign,
                                            const CampaignRecord& other);

}  // namespace flipstorm
