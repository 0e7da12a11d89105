#include "jobs/campaign/campaign_rows.hpp"

#include <algorithm>

#include "engine/base/error.hpp"

namespace flipstorm
{

CampaignRows::CampaignRows(const Plan& plan, std::vector<ChunkId> chunks)
    : plan_(plan), chunks_(std::move(chunks)), first_{0}
{
    FS_REQUIRE(std::is_sorted(chunks_.begin(), chunks_.end()), "chunks that are not in plan order");
    for (const ChunkId chunk : chunks_)
        first_.push_back(first_.back() + plan.chunks().at(chunk.value()).count);
}

std::uint64_t CampaignRows::first_row(ChunkId chunk) const
{
    const auto found = std::lower_bound(chunks_.begin(), chunks_.end(), chunk);
    FS_REQUIRE(found != chunks_.end() && *found == chunk, "chunk {} has no rows", chunk.value());
    return first_[static_cast<std::size_t>(found - chunks_.begin())];
}

FaultIndex CampaignRows::fault(std::uint64_t row) const
{
    FS_REQUIRE(row < size(), "row {} of {}", row, size());
    const auto after = std::upper_bound(first_.begin(), first_.end(), row);
    const auto position = static_cast<std::size_t>(after - first_.begin()) - 1;
    return FaultIndex(plan_.chunks()[chunks_[position].value()].first.value() + row - first_[position]);
}

}  // namespace flipstorm
