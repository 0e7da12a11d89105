#pragma once
// What a map is worth where nothing was injected: its judgement by faults that its campaign did not have.

#include "engine/base/stop_request.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/forest_file.hpp"

namespace flipstorm
{

/**
 * Judge the map of a forest by the faults of another campaign on the same network and images.
 *
 * Faults whose outcome the map knows, and stuck-at faults that change nothing, are left out. The others count
 * by what they stand for in their campaign (fault_weights), so scores are for the bits that the campaign of
 * the map did not inject. Shares have the intervals of estimate_share for the strata of the judging campaign,
 * each with the part of its faults that the share is of; balanced accuracy the sums of those of its two
 * halves; the other scores the 2.5 and 97.5 per cent points of 200 Poisson resamples of each stratum that was
 * not drawn whole, but none with fewer than ten faults of a class. A campaign of every fault of the network
 * leaves no doubt.
 *
 * Beside each score stands that of a table of critical shares by layer and bit, learnt from all faults of
 * the map's campaign. It flags as many bits as the map does, those of the highest shares; of those of an
 * equal share, that not all are flagged of, the expected part.
 *
 * \param campaign  that the map was learnt from
 * \param other     that judges it
 * \param stop      asked between resamples
 * \throws DataError if the campaigns are not of one network, images and fault model, `other` left out a
 * layer, has no fault that the map does not know, or stopped one before its class for the map's tolerance was
 * known; Stopped.
 */
[[nodiscard]] ValidationRecord validate_map(const ForestRecord& forest, const CampaignRecord& campaign,
                                            const CampaignRecord& other, const StopRequest& stop = {});

}  // namespace flipstorm
