#pragma once
// How the rows of campaign.h5 are shared out between ranks, and what all kinds of campaigns write.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hdf5_schema/campaign_file.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/campaign_rows.hpp"
#include "jobs/campaign/file_strata.hpp"
#include "jobs/campaign/injection.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// Rows [begin, end) of the faults.
struct RowShare
{
    std::uint64_t begin = 0;
    std::uint64_t end = 0;

    [[nodiscard]] std::uint64_t size() const { return end - begin; }
};

/// This rank's share of the rows; shares differ by one at most.
[[nodiscard]] RowShare row_share(const Context& context, const CampaignRows& rows);

/// Send each chunk to the ranks whose rows it holds, and give each outcome of this rank's rows, with its row
/// and its place in the chunk's record, to `take`. Chunks that stay are not encoded. \throws FileError.
/// \collective
void for_each_outcome(const Context& context, const Campaign& campaign, const CampaignRows& rows,
                      std::vector<DoneChunk> chunks,
                      const std::function<void(std::uint64_t, const ChunkRecord&, std::size_t)>& take);

/// Everything in campaign.h5 that does not grow with the faults, but for the fault model.
[[nodiscard]] CampaignHeader make_header(const Context& context, const Campaign& campaign,
                                         const Golden& golden, const Harvest& harvest);

/// The screens that were tried on each layer, and the totals of those that were kept.
[[nodiscard]] ScreenRecord screen_record(const Campaign& campaign, const std::vector<LayerScreening>& layers);

}  // namespace flipstorm
