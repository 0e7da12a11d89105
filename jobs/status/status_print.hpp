#pragma once
// The status of a campaign for people and for programs. Pure functions.

#include <optional>
#include <string>

#include "jobs/status/campaign_status.hpp"

namespace flipstorm
{

/// What to print.
struct StatusView
{
    bool all_strata = false;          ///< a row per stratum, however many there are; else by layer above 40
    std::optional<double> tolerance;  ///< of the table; none: the smallest of the campaign
};

/// Index of the view's tolerance. \throws JobError, naming the campaign's tolerances, if it is none of them.
[[nodiscard]] std::size_t tolerance_index(const CampaignStatus& status, const StatusView& view);

/// Progress, throughput and files in a few lines, the estimates by stratum or layer, then those of the
/// network.
[[nodiscard]] std::string status_text(const CampaignStatus& status, const std::filesystem::path& out,
                                      const StatusView& view);

/// The same as one JSON object; strata are not summarised.
[[nodiscard]] std::string status_json(const CampaignStatus& status, const std::filesystem::path& out,
                                      const StatusView& view);

}  // namespace flipstorm
