#include "mpi/queue_simulation.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <numeric>
#include <queue>
#include <string>

#include "engine/base/error.hpp"
#include "mpi/chunk_lanes.hpp"

namespace flipstorm
{
namespace
{

constexpr std::uint64_t kMostRanks = std::uint64_t{1} << 24U;

std::vector<double> speeds_of(const std::vector<RankGroup>& groups)
{
    std::vector<double> speeds;
    for (const RankGroup& group : groups)
        speeds.insert(speeds.end(), group.count, group.speed);
    return speeds;
}

ScalingPoint point_of(const std::vector<QueuedChunk>& chunks, const QueueOverheads& overheads,
                      std::vector<RankGroup> ranks, double one_rank)
{
    ScalingPoint point;
    point.run = simulate_queue(chunks, speeds_of(ranks), overheads);
    point.efficiency = one_rank / (point.run.makespan * total_speed(ranks));
    point.ranks = std::move(ranks);
    return point;
}

template<class Number>
bool read_number(std::string_view text, Number& number)
{
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && rest == text.data() + text.size();
}

}  // namespace

QueueRun simulate_queue(const std::vector<QueuedChunk>& chunks, const std::vector<double>& speeds,
                        const QueueOverheads& overheads)
{
    FS_REQUIRE(!speeds.empty(), "a queue without a rank");
    struct Rank
    {
        double free = 0;
        std::size_t index = 0;
        bool operator>(const Rank& other) const
        {
            return free > other.free || (free == other.free && index > other.index);
        }
    };
    std::priority_queue<Rank, std::vector<Rank>, std::greater<>> ranks;
    std::vector<double> finished;
    const double split = overheads.split / std::accumulate(speeds.begin(), speeds.end(), 0.0);
    for (std::size_t r = 0; r < speeds.size(); ++r)
    {
        FS_REQUIRE(speeds[r] > 0, "rank {} has speed {}", r, speeds[r]);
        finished.push_back(overheads.start / speeds[r] + split);
        ranks.push({finished.back(), r});
    }
    std::vector<QueueItem> items;
    for (const QueuedChunk& chunk : chunks)
        items.push_back({chunk.layer, chunk.cost});
    const std::vector<Lane> lanes = lanes_of(items, speeds.size());
    std::vector<std::uint64_t> taken(lanes.size(), 0);
    std::vector<std::size_t> lane;
    for (std::size_t r = 0; r < speeds.size(); ++r)
        lane.push_back(first_lane(lanes, r, speeds.size()));
    std::vector<std::int32_t> layer(speeds.size(), -1);
    QueueRun run;
    double counter_free = 0;
    for (std::size_t left = chunks.size(); left > 0; --left)
    {
        Rank rank = ranks.top();
        ranks.pop();
        counter_free = std::max(counter_free, rank.free) + overheads.fetch;
        std::size_t& here = lane[rank.index];
        if (taken[here] >= lanes[here].size()) here = next_lane(lanes, taken);
        const QueuedChunk& chunk = chunks[lanes[here].items[taken[here]++]];
        const double shared = layer[rank.index] == chunk.layer ? chunk.shared_again : chunk.shared;
        const double seconds = (shared + chunk.own) / speeds[rank.index] + overheads.save;
        layer[rank.index] = chunk.layer;
        run.busy += seconds;
        rank.free = counter_free + seconds;
        finished[rank.index] = rank.free;
        ranks.push(rank);
    }
    const double end = *std::max_element(finished.begin(), finished.end());
    for (const double time : finished)
    {
        run.idle += end - time;
        run.longest_idle = std::max(run.longest_idle, end - time);
    }
    run.makespan = end + overheads.write / static_cast<double>(speeds.size());
    return run;
}

std::vector<RankGroup> parse_ranks(std::string_view text)
{
    const std::string whole(text);
    std::vector<RankGroup> groups;
    for (bool more = true; more;)
    {
        const std::size_t comma = text.find(',');
        std::string_view part = text.substr(0, comma);
        more = comma != std::string_view::npos;
        if (more) text.remove_prefix(comma + 1);
        RankGroup group;
        const std::size_t times = part.find('x');
        const bool sound =
            read_number(part.substr(0, times), group.count) && group.count > 0 &&
            (times == std::string_view::npos || (read_number(part.substr(times + 1), group.speed) &&
                                                 group.speed > 0 && std::isfinite(group.speed)));
        FS_CHECK(JobError, sound,
                 "--ranks '{}': '{}' is neither a number of ranks, such as 1024, nor a number and a speed, "
                 "such as 64x20 for 64 ranks that are 20 times as fast as this one",
                 whole, part);
        FS_CHECK(JobError, group.count <= kMostRanks && rank_count(groups) + group.count <= kMostRanks,
                 "--ranks '{}': at most {} ranks can be simulated", whole, kMostRanks);
        groups.push_back(group);
    }
    return groups;
}

std::uint64_t rank_count(const std::vector<RankGroup>& groups)
{
    std::uint64_t count = 0;
    for (const RankGroup& group : groups)
        count += group.count;
    return count;
}

double total_speed(const std::vector<RankGroup>& groups)
{
    double speed = 0;
    for (const RankGroup& group : groups)
        speed += static_cast<double>(group.count) * group.speed;
    return speed;
}

std::vector<ScalingPoint> scaling_of(const std::vector<QueuedChunk>& chunks, const QueueOverheads& overheads,
                                     const std::vector<std::vector<RankGroup>>& sets)
{
    const double one_rank = simulate_queue(chunks, {1}, overheads).makespan;
    std::vector<ScalingPoint> points;
    for (const std::vector<RankGroup>& ranks : sets)
        points.push_back(point_of(chunks, overheads, ranks, one_rank));
    return points;
}

ScalingLimits scaling_limits(const std::vector<QueuedChunk>& chunks, const QueueOverheads& overheads,
                             double efficiency)
{
    const double one_rank = simulate_queue(chunks, {1}, overheads).makespan;
    const auto point = [&](std::uint64_t ranks) {
        return point_of(chunks, overheads, {{ranks, 1}}, one_rank);
    };
    const std::uint64_t most = std::clamp<std::uint64_t>(chunks.size(), 1, kMostRanks);
    ScalingLimits limits;
    ScalingPoint here = point(1);
    limits.makespan = limits.least_makespan = here.run.makespan;
    // Efficiency falls, but for small steps up and down: bisect between the last power of two that has it and
    // the first that has not.
    std::uint64_t with = 1;
    std::uint64_t without = most + 1;
    bool gains = true;
    for (std::uint64_t ranks = 2; ranks <= most; ranks *= 2)
    {
        here = point(ranks);
        if (here.efficiency >= efficiency)
        {
            with = ranks;
            limits.makespan = here.run.makespan;
        }
        else
            without = std::min(without, ranks);
        gains = gains && here.run.makespan < 0.95 * limits.least_makespan;
        if (gains)
        {
            limits.useful = ranks;
            limits.least_makespan = here.run.makespan;
        }
        if (!gains && without < ranks) break;
    }
    if (without < with) without = 2 * with;
    without = std::min(without, most + 1);
    while (with + 1 < without)
    {
        const std::uint64_t middle = with + (without - with) / 2;
        here = point(middle);
        if (here.efficiency < efficiency)
        {
            without = middle;
            continue;
        }
        with = middle;
        limits.makespan = here.run.makespan;
    }
    limits.efficient = with;
    return limits;
}

}  // namespace flipstorm
