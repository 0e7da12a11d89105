#pragma once
// The results of a campaign and a forest as tables. Tables I to III are those of DATE 2023.

#include <string>

#include "analysis/result_table.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/forest_file.hpp"

namespace flipstorm
{

/// Table I: critical share of the network per tolerance, strata reweighted by population, with 95 % interval.
ResultTable critical_share_table(const CampaignRecord& campaign);

/// The same per layer, for one tolerance.
ResultTable layer_share_table(const CampaignRecord& campaign, double tolerance);

/// The same per bit position, the highest first, for one tolerance. Bits that are the highest of no fault are
/// left out.
ResultTable bit_share_table(const CampaignRecord& campaign, double tolerance);

/// Critical share and interval of each layer, in columns per tolerance.
ResultTable layers_by_tolerance_table(const CampaignRecord& campaign);

/// Critical share and interval of each bit position, in columns per tolerance.
ResultTable bits_by_tolerance_table(const CampaignRecord& campaign);

/// Critical share of each bit position (rows) of each layer (columns), for one tolerance.
ResultTable layer_bit_table(const CampaignRecord& campaign, double tolerance);

/// Verdict on a trial of a screen: "kept", "audit too small" (the same screen was audited more) or "given
/// up".
std::string screen_verdict(const ScreenTable& trials, std::size_t row);

/// The screens that were tried on the layers, and what their audits found.
ResultTable screen_table(const CampaignRecord& campaign);

/// Table II: scores of the forest per tolerance.
ResultTable forest_table(const ForestRecord& forest);

/// All scores of all models of the map's tolerance, with intervals; no rows where none was trained.
ResultTable models_table(const ForestRecord& forest);

/// How the map agrees with faults of another campaign; no rows where it was not asked.
ResultTable validation_table(const ForestRecord& forest);

/// What each feature is worth to the forest of the map; no rows where there is none.
ResultTable importance_table(const ForestRecord& forest);

}  // namespace flipstorm
