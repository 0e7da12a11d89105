#pragma once
// The variants of a job side by side: what their weights look like, the table, and the page.

#include <string>
#include <vector>

#include "analysis/result_table.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/comparison_file.hpp"
#include "hdf5_schema/protection_file.hpp"
#include "hdf5_schema/transient_campaign_file.hpp"

namespace flipstorm
{

/// Puts number, mean and mean magnitude of all weights of a variant into its result; nothing for no weights.
void add_weights(VariantResult& result, const std::vector<float>& weights);

/**
 * Histogram of the weights of each variant, with the same bins.
 *
 * The bins are equally wide and cover [−r, r], r the largest of the variants' 99.9 % quantiles of |w|
 * (nearest rank); an odd number of them, so that zero is in the middle of one. What lies beyond is counted in
 * the outer bins. Where all weights are zero, r = 1.
 *
 * \param weights  of each variant, finite; a variant may have none  \param bins  odd. Thread-safe.
 */
WeightHistogram weight_histogram(const std::vector<std::vector<float>>& weights, std::size_t bins = 101);

/// Puts target, size and fault-free accuracy of a campaign into a variant's result.
void add_campaign_header(VariantResult& result, const CampaignHeader& header, std::uint64_t faults);

/// Puts what a campaign on weights found for a tolerance into a variant's result.
void add_weight_campaign(VariantResult& result, const CampaignRecord& campaign, double tolerance);

/// Puts what a campaign of transient faults found into the result of a variant, and, for feature maps, that
/// of each geometry into `fault_models`, as of the variant in row `variant`.
void add_transient_campaign(VariantResult& result, const TransientCampaignRecord& campaign,
                            std::int32_t variant, std::vector<FaultModelResult>& fault_models);

/// Puts the chosen protection, and what its tolerance makes of the campaign, into a variant's result.
void add_protection(VariantResult& result, const ProtectionRecord& protection);

/// A row for each variant; columns that no variant has a figure for are left out.
ResultTable comparison_table(const ComparisonRecord& comparison);

/// Each variant against the first: differences in points, and factors. No rows for fewer than two variants.
ResultTable relative_table(const ComparisonRecord& comparison);

/// The page: what differs, both tables, those of the figures ("regret", "weights", "protection") that are
/// there as figures/NAME.png, links to the variants' own reports, provenance. \param title  name of the job
std::string render_comparison(const ComparisonRecord& comparison, const std::string& title,
                              const std::vector<std::string>& figures);

}  // namespace flipstorm
