#include "mpi/chunk_lanes.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

constexpr std::uint64_t kTailPerRank = 2;

void append(Lane& lane, std::size_t item, double cost)
{
    lane.items.push_back(item);
    lane.cost_before.push_back(lane.cost_before.back() + cost);
}

}  // namespace

std::vector<Lane> lanes_of(const std::vector<QueueItem>& items, std::uint64_t ranks)
{
    const std::size_t tail = items.size() - std::min<std::size_t>(items.size(), kTailPerRank * ranks);
    std::map<std::int32_t, Lane> of_layers;
    for (std::size_t i = 0; i < tail; ++i)
        append(of_layers.try_emplace(items[i].layer, Lane{{}, {0}}).first->second, i, items[i].cost);
    std::vector<Lane> lanes;
    for (auto& [layer, lane] : of_layers)
        lanes.push_back(std::move(lane));
    lanes.push_back({{}, {0}});
    for (std::size_t i = tail; i < items.size(); ++i)
        append(lanes.back(), i, items[i].cost);
    return lanes;
}

std::size_t first_lane(const std::vector<Lane>& lanes, std::uint64_t rank, std::uint64_t ranks)
{
    FS_REQUIRE(!lanes.empty() && rank < ranks, "rank {} of {} at {} lanes", rank, ranks, lanes.size());
    const std::size_t tail = lanes.size() - 1;
    double whole = 0;
    for (std::size_t l = 0; l < tail; ++l)
        whole += lanes[l].cost_before.back();
    double left = whole * (static_cast<double>(rank) + 0.5) / static_cast<double>(ranks);
    for (std::size_t l = 0; l < tail; ++l)
    {
        left -= lanes[l].cost_before.back();
        if (left < 0) return l;
    }
    return tail > 0 ? static_cast<std::size_t>(rank % tail) : tail;  // nothing is known of the cost
}

std::size_t next_lane(const std::vector<Lane>& lanes, const std::vector<std::uint64_t>& taken)
{
    FS_REQUIRE(taken.size() == lanes.size(), "{} counters for {} lanes", taken.size(), lanes.size());
    std::size_t best = lanes.size();
    std::pair<double, std::uint64_t> most;  // cost, and items where it is not known
    for (std::size_t l = 0; l < lanes.size(); ++l)
    {
        if (taken[l] >= lanes[l].size()) continue;
        const bool is_tail = l + 1 == lanes.size();
        const std::pair<double, std::uint64_t> left{
            lanes[l].cost_before.back() - lanes[l].cost_before[taken[l]], lanes[l].size() - taken[l]};
        if (best == lanes.size() || (!is_tail && left > most))
        {
            best = l;
            most = left;
        }
    }
    return best;
}

}  // namespace flipstorm
