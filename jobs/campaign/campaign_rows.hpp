#pragma once
// Rows of campaign.h5: the faults of the chunks that a campaign has evaluated, in plan order.

#include <cstdint>
#include <vector>

#include "engine/faults/plan.hpp"

namespace flipstorm
{

/// Where the faults of chunks lie in a table that holds them and no others. Thread-safe: does not change.
class CampaignRows
{
  public:
    /// \param chunks  in plan order; all of the plan, or fewer
    CampaignRows(const Plan& plan, std::vector<ChunkId> chunks);

    /// Number of rows.
    [[nodiscard]] std::uint64_t size() const { return first_.back(); }
    /// First row of a chunk. \throws Error if it is none of the chunks.
    [[nodiscard]] std::uint64_t first_row(ChunkId chunk) const;
    /// Fault of a row. \throws Error if there is no such row.
    [[nodiscard]] FaultIndex fault(std::uint64_t row) const;

  private:
    const Plan& plan_;
    std::vector<ChunkId> chunks_;
    std::vector<std::uint64_t> first_;  ///< by position in chunks_; then the number of rows
};

}  // namespace flipstorm
