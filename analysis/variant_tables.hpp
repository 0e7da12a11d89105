#pragma once
// Tables I to III of DATE 2023 over the variants of a job: what number formats, say, make of faults, forests
// and protection.

#include <vector>

#include "analysis/result_table.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/comparison_file.hpp"
#include "hdf5_schema/forest_file.hpp"
#include "hdf5_schema/protection_file.hpp"

namespace flipstorm
{

/// Puts the critical shares of a campaign on weights into a comparison, as of the variant in row `variant`.
void add_tolerances(ComparisonRecord& comparison, std::int32_t variant, const CampaignRecord& campaign);

/// Puts the scores of a forest into a comparison.
void add_forest(ComparisonRecord& comparison, std::int32_t variant, const ForestRecord& forest);

/// Puts what protection costs into a comparison. \param kind  of the forest
void add_overhead(ComparisonRecord& comparison, std::int32_t variant, const std::string& kind,
                  const ProtectionRecord& protection);

/// Table I: by tolerance, the critical share of each campaign's injected faults and of all faults. No rows
/// without campaigns on weights.
ResultTable critical_shares_table(const ComparisonRecord& comparison);

/// Table II: the scores of each forest for the least, the middle and the largest tolerance.
ResultTable forests_table(const ComparisonRecord& comparison);

/// Table III: the memory that each variant's protection costs, with the largest and the mean gain.
ResultTable overheads_table(const ComparisonRecord& comparison);

/// The three, without those that have no rows.
std::vector<ResultTable> variant_tables(const ComparisonRecord& comparison);

}  // namespace flipstorm
