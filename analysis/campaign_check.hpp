#pragma once
// The entrance of the analysis: a campaign that can be true. Everything behind it relies on what is checked
// here.

#include "hdf5_schema/campaign_file.hpp"

namespace flipstorm
{

/**
 * Check that a campaign is consistent in itself.
 *
 * There are faults; the columns of each table are equally long; weights = out_channels × in_channels × kernel
 * elements; every fault names a stratum and a layer that exist, a layer and bit of its stratum, a parameter
 * of its layer, the channels that this parameter belongs to, bits of the word that the fault model hits, and
 * a finite drop; no stratum has more faults than its population; a drop that is only a lower bound (stopped =
 * 1) exceeds every tolerance of the campaign. The trials of the screen (none in files of version 1.0) follow
 * each other as a campaign makes them: per layer with faults, at rising levels, each with the bound that its
 * audit gives, the last and only the last within the campaign's bound and kept; the totals are those of the
 * kept ones.
 *
 * \throws DataError naming the first row that is wrong. Thread-safe.
 */
void check_campaign(const CampaignRecord& campaign);

/// Kernel elements of a layer: weights / (out_channels × in_channels), 1 for a linear layer.
[[nodiscard]] std::uint64_t kernel_elements(const LayerTable& layers, std::size_t layer);

}  // namespace flipstorm
