#include "mpi/queue_simulation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

std::vector<QueuedChunk> queue(const std::vector<double>& seconds)
{
    std::vector<QueuedChunk> chunks;
    for (std::size_t i = 0; i < seconds.size(); ++i)
        chunks.push_back({static_cast<std::int32_t>(i), 0, 0, seconds[i]});
    return chunks;
}

// By hand. Rank 0: 5, then nothing is left for it after 2 at 5 … 7; rank 1: 4 and 3 until 7; rank 2: 3 and
// 3 until 6.
TEST(QueueSimulation, ThreeRanksAndFiveChunks)
{
    const QueueRun run = simulate_queue(queue({5, 4, 3, 3, 3}), {1, 1, 1}, {});
    EXPECT_DOUBLE_EQ(run.makespan, 7);
    EXPECT_DOUBLE_EQ(run.busy, 18);
    EXPECT_DOUBLE_EQ(run.idle, 2 + 0 + 1);
    EXPECT_DOUBLE_EQ(run.longest_idle, 2);
}

TEST(QueueSimulation, OverheadsByHand)
{
    // Start 10; the counter serves the ranks one after the other, 1 each: chunks begin at 11 and 12, take 5 +
    // 2 and 4 + 2, so end at 18 and 18; rank 0 asks first: 19 … 24. Writing: 6 / 2.
    const QueueRun run = simulate_queue(queue({5, 4, 3}), {1, 1}, {10, 1, 2, 6});
    EXPECT_DOUBLE_EQ(run.makespan, 24 + 3);
    EXPECT_DOUBLE_EQ(run.busy, 12 + 6);
    EXPECT_DOUBLE_EQ(run.idle, 6);
}

TEST(QueueSimulation, MixedSpeedsByHand)
{
    // A rank of speed 4 and one of speed 1, start 4: ready at 1 and 4. The fast one takes 8 (1 … 3), 8 (3 …
    // 5); the slow one 8 at 4 (… 12); then the fast one the last 8 (5 … 7). Saving is not faster on a GPU.
    const QueueRun run = simulate_queue(queue({8, 8, 8, 8}), {4, 1}, {4, 0, 0, 0});
    EXPECT_DOUBLE_EQ(run.makespan, 12);
    EXPECT_DOUBLE_EQ(run.idle, 5);
    EXPECT_DOUBLE_EQ(simulate_queue(queue({8}), {4}, {0, 0, 1, 0}).makespan, 3);
}

TEST(QueueSimulation, ARankThatStaysWithALayerKeepsItsPasses)
{
    // Passes of 10, or 1 for a rank that comes from the same layer; two of three chunks are the tail.
    const std::vector<QueuedChunk> chunks{{0, 10, 1, 5, 3}, {1, 10, 1, 5, 2}, {0, 10, 1, 5, 1}};
    EXPECT_DOUBLE_EQ(simulate_queue(chunks, {1}, {}).makespan, 15 + 15 + 15);
    // All tail: each rank one, then the first of them the third; it comes from layer 0.
    EXPECT_DOUBLE_EQ(simulate_queue(chunks, {1, 1}, {}).makespan, 15 + 6);
    EXPECT_DOUBLE_EQ(simulate_queue(chunks, {1, 1}, {}).idle, 6);
}

TEST(QueueSimulation, RanksStayInTheirLanes)
{
    // Layers 0 and 1 by turns: one rank does them one after the other, then the tail of one of each; of two
    // ranks, each does one layer, and in the tail of four the chunks fall as they come.
    std::vector<QueuedChunk> chunks;
    for (int i = 0; i < 12; ++i)
        chunks.push_back({i % 2, 10, 0, 1, 1});
    EXPECT_DOUBLE_EQ(simulate_queue(chunks, {1}, {}).makespan, 2 * (10 + 5) + 2 * 1 + 10);
    EXPECT_DOUBLE_EQ(simulate_queue(chunks, {1, 1}, {}).makespan, 10 + 4 + 2 * 1);
}

TEST(QueueSimulation, WhatIsSharedOutAtTheStart)
{
    EXPECT_DOUBLE_EQ(simulate_queue(queue({5, 5}), {1, 1}, {10, 0, 0, 0, 6}).makespan, 10 + 3 + 5);
    EXPECT_DOUBLE_EQ(simulate_queue(queue({5, 5}), {1}, {10, 0, 0, 0, 6}).makespan, 10 + 6 + 10);
}

TEST(QueueSimulation, KeepsTheBoundsOfListScheduling)
{
    std::mt19937_64 random(5);
    std::lognormal_distribution<double> cost(0, 1);
    for (int trial = 0; trial < 50; ++trial)
    {
        std::vector<double> seconds(static_cast<std::size_t>(1 + trial * 7));
        for (double& second : seconds)
            second = cost(random);
        std::sort(seconds.rbegin(), seconds.rend());
        const double sum = std::accumulate(seconds.begin(), seconds.end(), 0.0);
        const auto ranks = static_cast<double>(1 + trial % 9);
        const QueueRun run =
            simulate_queue(queue(seconds), std::vector<double>(static_cast<std::size_t>(ranks), 1), {});
        EXPECT_GE(run.makespan, std::max(seconds.front(), sum / ranks) * (1 - 1e-12));
        // Graham, 1966: the chunk that ends last began when no rank was free of the others' work.
        EXPECT_LE(run.makespan, (sum / ranks + seconds.front() * (1 - 1 / ranks)) * (1 + 1e-12));
        EXPECT_NEAR(run.busy, sum, 1e-9 * sum);
        EXPECT_NEAR(run.idle, ranks * run.makespan - sum, 1e-9 * sum);
    }
}

/// The same, step by step: at every moment the first free rank takes the first chunk left of its layer among
/// all but the last two per rank; if there is none, of the layer with the highest cost left; and so to the
/// end.
double slow_makespan(std::vector<QueuedChunk> chunks, const std::vector<double>& speeds)
{
    const std::size_t in_tail = std::min(chunks.size(), 2 * speeds.size());
    const std::vector<QueuedChunk> tail(chunks.end() - static_cast<std::ptrdiff_t>(in_tail), chunks.end());
    chunks.resize(chunks.size() - in_tail);
    std::map<std::int32_t, double> cost;
    double whole = 0;
    for (const QueuedChunk& chunk : chunks)
    {
        cost[chunk.layer] += chunk.cost;
        whole += chunk.cost;
    }
    std::vector<std::int32_t> wants;
    for (std::size_t r = 0; r < speeds.size(); ++r)
    {
        double at = whole * (static_cast<double>(r) + 0.5) / static_cast<double>(speeds.size());
        auto home = cost.begin();
        while (home != cost.end() && at >= home->second)
            at -= (home++)->second;
        wants.push_back(home == cost.end() ? -1 : home->first);
    }
    std::vector<double> free(speeds.size(), 0);
    std::vector<std::int32_t> layer(speeds.size(), -1);
    for (std::size_t of_tail = 0; !chunks.empty() || of_tail < tail.size();)
    {
        const auto rank =
            static_cast<std::size_t>(std::distance(free.begin(), std::min_element(free.begin(), free.end())));
        QueuedChunk chunk;
        if (chunks.empty())
            chunk = tail[of_tail++];
        else
        {
            const auto first_of = [&](std::int32_t l) {
                return std::find_if(chunks.begin(), chunks.end(),
                                    [l](const QueuedChunk& c) { return c.layer == l; });
            };
            if (first_of(wants[rank]) == chunks.end())
            {
                std::map<std::int32_t, double> left;
                for (const QueuedChunk& c : chunks)
                    left[c.layer] += c.cost;
                wants[rank] = std::max_element(left.begin(), left.end(), [](const auto& x, const auto& y) {
                                  return x.second < y.second;
                              })->first;
            }
            const auto taken = first_of(wants[rank]);
            chunk = *taken;
            chunks.erase(taken);
        }
        free[rank] +=
            ((layer[rank] == chunk.layer ? chunk.shared_again : chunk.shared) + chunk.own) / speeds[rank];
        layer[rank] = chunk.layer;
    }
    return *std::max_element(free.begin(), free.end());
}

TEST(QueueSimulation, AgreesWithASlowOne)
{
    std::mt19937_64 random(6);
    std::uniform_real_distribution<double> any(0.1, 10);
    for (int trial = 0; trial < 30; ++trial)
    {
        std::vector<QueuedChunk> chunks;
        for (int i = 0; i < 100; ++i)
        {
            const double shared = any(random);
            chunks.push_back(
                {static_cast<std::int32_t>(random() % 3), shared, shared / 2, any(random), any(random)});
        }
        std::vector<double> speeds(static_cast<std::size_t>(1 + trial % 7));
        for (double& speed : speeds)
            speed = any(random);
        EXPECT_NEAR(simulate_queue(chunks, speeds, {}).makespan, slow_makespan(chunks, speeds), 1e-9);
    }
}

TEST(QueueSimulation, RefusesWhatIsNoRank)
{
    EXPECT_THROW(static_cast<void>(simulate_queue({}, {}, {})), Error);
    EXPECT_THROW(static_cast<void>(simulate_queue({}, {1, 0}, {})), Error);
    EXPECT_EQ(simulate_queue({}, {1}, {2, 0, 0, 0}).makespan, 2);
}

TEST(ParseRanks, ReadsNumbersAndSpeeds)
{
    const std::vector<RankGroup> plain = parse_ranks("1024");
    ASSERT_EQ(plain.size(), 1U);
    EXPECT_EQ(plain[0].count, 1024U);
    EXPECT_EQ(plain[0].speed, 1);
    const std::vector<RankGroup> mixed = parse_ranks("960,64x20.5");
    ASSERT_EQ(mixed.size(), 2U);
    EXPECT_EQ(rank_count(mixed), 1024U);
    EXPECT_DOUBLE_EQ(total_speed(mixed), 960 + 64 * 20.5);
    for (const char* bad : {"", "0", "-1", "a", "4,", ",4", "4x", "4x0", "4x-1", "x4", "4x2x2", "4 ", "1e3",
                            "4xinf", "99999999999", "18446744073709551615,2"})
    {
        EXPECT_THROW(static_cast<void>(parse_ranks(bad)), JobError) << bad;
    }
}

TEST(Scaling, EfficiencyIsThatOfEqualChunks)
{
    // 1,000 equal chunks: efficient where the ranks divide them well.
    const std::vector<QueuedChunk> chunks = queue(std::vector<double>(1000, 1));
    const std::vector<ScalingPoint> points =
        scaling_of(chunks, {}, {{{1, 1}}, {{500, 1}}, {{501, 1}}, {{10, 2}}});
    EXPECT_DOUBLE_EQ(points[0].efficiency, 1);
    EXPECT_DOUBLE_EQ(points[1].efficiency, 1);
    EXPECT_DOUBLE_EQ(points[2].efficiency, 1000.0 / (2 * 501));
    EXPECT_DOUBLE_EQ(points[3].efficiency, 1);
    EXPECT_DOUBLE_EQ(points[3].run.makespan, 50);
}

TEST(Scaling, LimitsByHand)
{
    // 1,000 chunks of 1 s, and one of 100 s first: no number of ranks is done before 100 s; 11 ranks take
    // 100 s at 1100 / 1100, 12 at 1100 / 1200 = 91.7 %.
    std::vector<double> seconds(1001, 1);
    seconds[0] = 100;
    const ScalingLimits limits = scaling_limits(queue(seconds), {});
    EXPECT_EQ(limits.efficient, 11U);
    EXPECT_DOUBLE_EQ(limits.makespan, 100);
    EXPECT_EQ(limits.useful, 16U) << "8 ranks take 138 s, 16 take 100 s, so do 32";
    EXPECT_DOUBLE_EQ(limits.least_makespan, 100);
    // One chunk: one rank.
    EXPECT_EQ(scaling_limits(queue({5}), {}).efficient, 1U);
    EXPECT_EQ(scaling_limits(queue({5}), {}).useful, 1U);
    EXPECT_EQ(scaling_limits({}, {1, 0, 0, 0}).useful, 1U);
}

}  // namespace
}  // namespace flipstorm
