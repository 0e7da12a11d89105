#pragma once
// What a campaign of transient faults found, as tables and as a page.

#include <string>
#include <vector>

#include "analysis/result_table.hpp"
#include "hdf5_schema/transient_campaign_file.hpp"

namespace flipstorm
{

/// Outcome classes, vulnerability factor and regret, of each layer and of the network.
[[nodiscard]] ResultTable vulnerability_table(const TransientCampaignRecord& campaign);

/// Name of a geometry as it is stored in campaign.h5: "line".
[[nodiscard]] std::string geometry_name(std::uint8_t geometry);

/// The same by geometry of the fault, or by bit position; empty rows for faults of warps.
[[nodiscard]] ResultTable fault_kind_table(const TransientCampaignRecord& campaign);

/// The tables that have rows, in the order in which they are shown.
[[nodiscard]] std::vector<ResultTable> transient_tables(const TransientCampaignRecord& campaign);

/// The complete HTML page; `title` is the name of the job. Thread-safe.
[[nodiscard]] std::string render_transient_report(const TransientCampaignRecord& campaign,
                                                  const std::string& title);

}  // namespace flipstorm
