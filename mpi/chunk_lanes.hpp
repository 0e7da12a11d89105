#pragma once
// In what order ranks take chunks: lanes of chunks that share something, so that a rank stays with what it
// has prepared, and at the end one lane of small ones that levels all ranks. Pure functions of the queue and
// the number of ranks.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace flipstorm
{

/// What a queue gives out, dearest first.
struct QueueItem
{
    std::int32_t layer = 0;  ///< whose passes it shares with others
    double cost = 0;         ///< in any unit; 0 where it is not known
};

/// Items that ranks take one after the other.
struct Lane
{
    std::vector<std::size_t> items;   ///< places in the queue, in its order
    std::vector<double> cost_before;  ///< of the first k items of the lane, for k = 0 … all

    [[nodiscard]] std::size_t size() const { return items.size(); }
};

/**
 * The lanes of a queue: one for each layer, and the last of all, the tail.
 *
 * The tail has the last items of the queue, two for each rank: they are the cheapest, and any rank takes any
 * of them, dearest first, so that all are done at about the same time. The others are in the lanes of their
 * layers. A queue of no more items than that is all tail. A lane may be empty. Thread-safe.
 */
[[nodiscard]] std::vector<Lane> lanes_of(const std::vector<QueueItem>& items, std::uint64_t ranks);

/// Where a rank begins: ranks are spread over the lanes in proportion to their cost.
[[nodiscard]] std::size_t first_lane(const std::vector<Lane>& lanes, std::uint64_t rank, std::uint64_t ranks);

/**
 * Where a rank goes on whose lane is empty: to the lane with the highest cost left, to the tail last of all.
 *
 * \param taken  items taken of each lane; more than there are means all
 * \return lanes.size() if all are empty
 */
[[nodiscard]] std::size_t next_lane(const std::vector<Lane>& lanes, const std::vector<std::uint64_t>& taken);

}  // namespace flipstorm
