#pragma once
// How the rows of campaign.h5 are shared out between ranks, and what all kinds of campaigns write.

#include <cstdint>
#include <string>
#include <vector>

#include "hdf5_schema/campaign_file.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/campaign_rows.hpp"
#include "jobs/campaign/injection.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// First row of a rank's share of the faults.
[[nodiscard]] std::uint64_t first_row_of(std::uint64_t rows, int rank, int size);

/// Send each chunk to the ranks whose rows it holds. \collective
[[nodiscard]] std::vector<JournalEntry> to_row_owners(const Context& context, const Plan& plan,
                                                      const CampaignRows& rows,
                                                      const std::vector<JournalEntry>& entries);

/// Everything in campaign.h5 that does not grow with the faults.
[[nodiscard]] CampaignHeader make_header(const Context& context, const Campaign& campaign,
                                         const Golden& golden, const Harvest& harvest);

/// Print what makes a campaign meaningless (golden_warnings), a line each. \return what was printed
std::string print_warnings(const CampaignHeader& header);

/// Write campaign.h5 of a campaign of transient faults. \throws FileError. \collective
void write_transient_outcomes(const Context& context, const Campaign& campaign, const Golden& golden,
                              const Harvest& harvest);

}  // namespace flipstorm
