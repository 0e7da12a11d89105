// What the journal costs: which chunks make a segment, and that nothing is left behind.

#include "jobs/bench/bench_journal.hpp"

#include <gtest/gtest.h>

#include "engine/base/error.hpp"
#include "jobs/campaign/outcome_codec.hpp"
#include "tests/unit/mpi/temporary_folder.hpp"

namespace flipstorm
{
namespace
{

/// Two layers: 10 faults in 1 s, none of it shared, and 4 faults in 2 s.
ModeBench two_layers()
{
    ModeBench mode;
    mode.mode = EvaluationMode::screened;
    mode.layers.resize(3);
    mode.layers[0].seconds = 1;
    mode.layers[0].outcomes.resize(10);
    mode.layers[2].seconds = 2;
    mode.layers[2].outcomes.resize(4);
    return mode;
}

std::uint64_t encoded_bytes(std::size_t outcomes)
{
    return encode_outcomes(std::vector<Outcome>(outcomes)).size();
}

TEST(JournalCost, ASegmentHoldsChunksOfAllMeasuredLayersUntilItIsDue)
{
    const test::TemporaryFolder folder;
    // A chunk of 20 faults takes 2 s, one of 8 takes 4 s: 2 + 4 + 2 + 4 s are the first sum of 9 s or more.
    const JournalCost cost =
        measure_journal_cost(folder.path(), two_layers(), {1000, 1000, 1000}, {20, 20, 8}, 9);
    EXPECT_EQ(cost.mode, EvaluationMode::screened);
    EXPECT_DOUBLE_EQ(cost.work_seconds, 12);
    EXPECT_EQ(cost.faults, 56U);
    EXPECT_EQ(cost.bytes, 2 * encoded_bytes(20) + 2 * encoded_bytes(8));
    EXPECT_GT(cost.seconds, 0);
    EXPECT_LT(cost.seconds, 5);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(JournalCost, ASegmentOfASmallCampaignHoldsAllOfIt)
{
    const test::TemporaryFolder folder;
    const JournalCost cost = measure_journal_cost(folder.path(), two_layers(), {25, 0, 6}, {20, 20, 8}, 3600);
    EXPECT_EQ(cost.faults, 31U);
    EXPECT_DOUBLE_EQ(cost.work_seconds, 2.5 + 3);
}

TEST(JournalCost, WithoutAWaitEveryChunkIsASegment)
{
    const test::TemporaryFolder folder;
    const JournalCost cost = measure_journal_cost(folder.path(), two_layers(), {25, 0, 6}, {20, 20, 8}, 0);
    EXPECT_EQ(cost.faults, 20U);
    EXPECT_EQ(measure_journal_cost(folder.path(), ModeBench{}, {}, {}, 5).faults, 0U);
}

TEST(JournalCost, IsAShareOfTheRunTime)
{
    JournalCost cost;
    cost.faults = 12345;
    cost.bytes = 412 * 1024;
    cost.work_seconds = 4.995;
    cost.seconds = 0.005;
    EXPECT_DOUBLE_EQ(cost.share(), 0.001);
    EXPECT_EQ(
        describe(cost),
        "Journal (screened): a segment of 12,345 faults, 412 KiB, every 5 s, takes 5 ms to write: 0.1 % of "
        "the run time.");
}

TEST(JournalCost, AFolderThatCannotBeWrittenIsAnError)
{
    EXPECT_THROW(static_cast<void>(measure_journal_cost("/proc", two_layers(), {25, 0, 6}, {20, 20, 8}, 5)),
                 FileError);
}

}  // namespace
}  // namespace flipstorm
