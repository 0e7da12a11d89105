#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "engine/faults/chunking.hpp"

namespace flipstorm
{
namespace
{

std::vector<std::uint64_t> counts_of(const std::vector<ChunkCut>& cuts)
{
    std::vector<std::uint64_t> counts;
    for (const ChunkCut& cut : cuts)
        counts.push_back(cut.count);
    return counts;
}

/// Cost of the faults [first, first + count), one by one.
double walk(const LayerLoad& load, std::uint64_t first, std::uint64_t count)
{
    double macs = 0;
    std::uint64_t fault = 0;
    for (const FaultRun& run : load.runs)
    {
        for (std::uint64_t k = 0; k < run.count; ++k, ++fault)
            macs += fault >= first && fault < first + count ? run.macs : 0;
    }
    return macs;
}

TEST(Chunking, EveryFaultIsInOneChunkWithItsCost)
{
    std::mt19937_64 random(1);
    const auto any = [&](double low, double high) {
        return std::exp(std::uniform_real_distribution<>(std::log(low), std::log(high))(random));
    };
    for (int trial = 0; trial < 200; ++trial)
    {
        LayerLoad load;
        load.shared_macs = trial % 3 == 0 ? 0 : any(1e6, 1e14);
        load.weights = static_cast<std::uint64_t>(any(1, 1e6));
        std::uint64_t all = 0;
        for (int r = 0; r < 1 + trial % 5; ++r)
        {
            load.runs.push_back({static_cast<std::uint64_t>(any(1, 2000)), any(1e3, 1e12)});
            all += load.runs.back().count;
        }
        const std::vector<ChunkCut> cuts = cut_into_chunks(load);
        std::uint64_t next = 0;
        for (const ChunkCut& cut : cuts)
        {
            ASSERT_GT(cut.count, 0U);
            ASSERT_LE(cut.count, std::max<std::uint64_t>(2048, all / 32));
            const double macs = load.shared_macs + walk(load, next, cut.count);
            ASSERT_NEAR(cut.macs, macs, 1e-9 * macs);
            next += cut.count;
        }
        ASSERT_EQ(next, all);
    }
}

TEST(Chunking, NothingToCut)
{
    EXPECT_TRUE(cut_into_chunks({}).empty());
    EXPECT_TRUE(cut_into_chunks({{{0, 1e6}}, 1e6, 5}).empty());
    EXPECT_EQ(counts_of(cut_into_chunks({{{1, 1e20}}, 1e6, 5})), (std::vector<std::uint64_t>{1}));
}

// By hand: 1e11 multiply-accumulates are affordable and are 100 faults of 1e9.
TEST(Chunking, SmallWorkGoesInEqualChunks)
{
    EXPECT_EQ(counts_of(cut_into_chunks({{{1000, 1e9}}, 0, 10})), std::vector<std::uint64_t>(10, 100));
    // Few faults make eight chunks.
    EXPECT_EQ(counts_of(cut_into_chunks({{{80, 1e9}}, 0, 10})), std::vector<std::uint64_t>(8, 10));
    // Shared passes of 1e11 are a quarter of what 400 faults cost; with 2,000 faults these make five chunks.
    EXPECT_EQ(counts_of(cut_into_chunks({{{2000, 1e9}}, 1e11, 1000})), std::vector<std::uint64_t>(5, 400));
    // But not fewer than two.
    EXPECT_EQ(counts_of(cut_into_chunks({{{600, 1e9}}, 1e11, 1000})), std::vector<std::uint64_t>(2, 300));
    // The faults of 50 weights, eight of each, stay together.
    EXPECT_EQ(counts_of(cut_into_chunks({{{2000, 1e9}}, 1, 50})), std::vector<std::uint64_t>(5, 400));
    // Cheap ones: 2,048 at most, or a 32nd.
    EXPECT_EQ(counts_of(cut_into_chunks({{{20480, 1}}, 1e9, 1U << 20U})),
              std::vector<std::uint64_t>(10, 2048));
    EXPECT_EQ(counts_of(cut_into_chunks({{{320000, 1}}, 1e9, 1U << 20U})),
              std::vector<std::uint64_t>(32, 10000));
}

TEST(Chunking, DearFaultsMakeChunksOfFewFaultsAndOfTheSameCost)
{
    // 900 faults of 1e9, and 90 that are ten times as dear.
    const std::vector<ChunkCut> cuts = cut_into_chunks({{{900, 1e9}, {90, 1e10}}, 1e10, 1U << 20U});
    for (const ChunkCut& cut : cuts)
        EXPECT_NEAR(cut.macs, 1e11 + 1e10, 1e10 + 1);
    EXPECT_EQ(cuts.front().count, 100U);
    EXPECT_EQ(cuts.back().count, 10U);
}

TEST(Chunking, ALongLayerEndsWithSmallerChunks)
{
    // A usual chunk has 320 faults, of 3.2e13 beside 8e12. Three times that until half is left, and so on.
    const std::vector<std::uint64_t> counts = counts_of(cut_into_chunks({{{61440, 1e11}}, 8e12, 1U << 20U}));
    std::vector<std::uint64_t> expected;
    for (const std::uint64_t size : {960, 480, 240, 120, 60})
        expected.insert(expected.end(), 32, size);
    expected.insert(expected.end(), 64, 30);
    EXPECT_EQ(counts, expected);
    // Shorter ones are not worth it.
    const std::vector<std::uint64_t> shorter = counts_of(cut_into_chunks({{{40000, 1e9}}, 1e11, 1U << 20U}));
    EXPECT_EQ(shorter, std::vector<std::uint64_t>(100, 400));
}

}  // namespace
}  // namespace flipstorm
