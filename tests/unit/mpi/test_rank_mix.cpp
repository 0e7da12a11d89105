#include "mpi/rank_mix.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace flipstorm
{
namespace
{

TEST(RankMix, DescribesRanks)
{
    EXPECT_EQ(describe_ranks({{"a", "cpu", 2}}), "1 rank(s), cpu, 2 thread(s) each");
    EXPECT_EQ(describe_ranks({{"a", "cpu", 2}, {"b", "cpu", 2}}),
              "2 rank(s), cpu, 2 thread(s) each on 2 hosts");
    EXPECT_EQ(describe_ranks({{"a", "cuda:0", 4}, {"a", "cpu", 2}, {"a", "cpu", 2}}),
              "3 rank(s): 2 cpu with 2 thread(s), 1 cuda:0 with 4 thread(s)");
}

TEST(RankMix, WhoIsMuchSlowerLeavesTheEnd)
{
    // Two ranks, chunks of equal cost 1; in the time of one chunk here the other has taken 100.
    QueueShare share{1, 101, 101, 1, 2};
    EXPECT_FALSE(leaves_the_rest(share)) << "the other has 101 chunks to do, this one takes as long as 100";
    share.left = 99;
    EXPECT_TRUE(leaves_the_rest(share));
    // As fast as the mean: never, even before the last chunk.
    EXPECT_FALSE(leaves_the_rest({10, 20, 1, 1, 2}));
    // Not known yet how fast, or nobody else there.
    EXPECT_FALSE(leaves_the_rest({0, 100, 1, 1, 2}));
    EXPECT_FALSE(leaves_the_rest({100, 100, 1, 1, 1}));
}

struct Simulated
{
    double end = 0;         ///< of the last rank
    std::size_t taken = 0;  ///< chunks
    int left = 0;           ///< ranks that left the rest to others
};

/// Ranks of these speeds take chunks, dearest first, when they are free.
Simulated simulate(const std::vector<double>& costs, const std::vector<double>& speeds, bool may_leave)
{
    const double total = std::accumulate(costs.begin(), costs.end(), 0.0);
    std::vector<double> free_at(speeds.size(), 0.0);
    std::vector<double> mine(speeds.size(), 0.0);
    double cost_taken = 0;
    Simulated result;
    constexpr double kGone = std::numeric_limits<double>::infinity();
    while (result.taken < costs.size())
    {
        const auto rank =
            static_cast<std::size_t>(std::min_element(free_at.begin(), free_at.end()) - free_at.begin());
        if (free_at[rank] == kGone) break;
        const double cost = costs[result.taken];
        if (may_leave && leaves_the_rest({mine[rank], cost_taken, total - cost_taken, cost,
                                          static_cast<int>(speeds.size())}))
        {
            free_at[rank] = kGone;
            ++result.left;
            continue;
        }
        ++result.taken;
        cost_taken += cost;
        mine[rank] += cost;
        free_at[rank] += cost / speeds[rank];
        result.end = std::max(result.end, free_at[rank]);
    }
    return result;
}

TEST(RankMix, ASlowRankDoesNotMakeTheOthersWait)
{
    // One rank a hundred times as fast as two others, which need a tenth of the whole time for a chunk.
    const std::vector<double> speeds{1, 100, 1};
    double worst = 0;
    double worst_without = 0;
    for (std::size_t chunks = 1000; chunks < 1100; ++chunks)
    {
        const std::vector<double> costs(chunks, 1.0);
        const double least = static_cast<double>(chunks) / 102;
        const Simulated with = simulate(costs, speeds, true);
        EXPECT_EQ(with.taken, chunks);
        worst = std::max(worst, with.end / least);
        worst_without = std::max(worst_without, simulate(costs, speeds, false).end / least);
    }
    EXPECT_LT(worst, 1.02);
    EXPECT_GT(worst_without, 1.05);
}

TEST(RankMix, NeverDoAllLeave)
{
    std::mt19937 random(5);
    int with_leavers = 0;
    for (int trial = 0; trial < 3000; ++trial)
    {
        std::uniform_real_distribution<double> exponent(-3, 3);
        std::vector<double> speeds(1 + random() % 9);
        for (double& speed : speeds)
            speed = std::pow(10, exponent(random));
        std::vector<double> costs(1 + random() % 60);
        for (double& cost : costs)
            cost = std::pow(10, exponent(random));
        std::sort(costs.rbegin(), costs.rend());
        const Simulated simulated = simulate(costs, speeds, true);
        ASSERT_EQ(simulated.taken, costs.size()) << "trial " << trial;
        with_leavers += simulated.left > 0 ? 1 : 0;
    }
    EXPECT_GT(with_leavers, 100) << "hardly any rank left in these trials";
}

}  // namespace
}  // namespace flipstorm
