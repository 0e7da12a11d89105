#include "jobs/campaign/outdated_outcomes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "engine/evaluate/results_revision.hpp"
#include "tests/unit/jobs/campaign/lenet5_campaign.hpp"

namespace flipstorm
{
namespace
{

Job job_of(const std::string& more)
{
    return test::campaign_job("scheme = \"data_unaware\"\nlimit = 3200\n" + more);
}

Campaign campaign_of(const Job& job)
{
    return test::lenet5_campaign(job);
}

TEST(OutdatedOutcomes, OnlyNativeKernelsMattered)
{
    EXPECT_TRUE(overflow_mattered(job_of("")));
    EXPECT_TRUE(overflow_mattered(job_of("evaluation = \"exact\"\nbackend = \"native\"\n")));
    EXPECT_FALSE(overflow_mattered(job_of("evaluation = \"reference\"\n")));
    EXPECT_FALSE(overflow_mattered(job_of("backend = \"libtorch\"\n")));
}

/// Every chunk of the plan, from a segment of some format.
JournalContent journal_of(const Campaign& campaign, std::uint32_t format)
{
    JournalContent journal;
    for (std::size_t c = 0; c < campaign.plan().chunks().size(); ++c)
        journal.entries.push_back({ChunkId(c), "", 0, format});
    return journal;
}

TEST(OutdatedOutcomes, EarlySegmentsLoseTheChunksWithHugeWeights)
{
    Context context;
    context.job = job_of("");
    const Campaign campaign = campaign_of(context.job);
    const std::vector<Chunk>& chunks = campaign.plan().chunks();
    std::vector<std::uint64_t> want;
    for (std::size_t c = 0; c < chunks.size(); ++c)
    {
        bool holds = false;
        for (std::uint64_t i = 0; i < chunks[c].count; ++i)
        {
            const WeightFault fault = campaign.plan().fault(FaultIndex(chunks[c].first.value() + i));
            holds = holds || fault.bit == 30;  // of weights below 2 the flip of any other bit stays small
        }
        if (!holds) want.push_back(c);
    }
    ASSERT_FALSE(want.empty());
    ASSERT_LT(want.size(), chunks.size());

    JournalContent early = journal_of(campaign, kFirstRightJournal - 1);
    early.entries.push_back({ChunkId(chunks.size()), "", 0, kFirstRightJournal - 1});
    drop_outdated(context, campaign, early);
    want.push_back(chunks.size());  // not of this plan: for others to refuse
    std::vector<std::uint64_t> kept;
    for (const JournalEntry& entry : early.entries)
        kept.push_back(entry.chunk.value());
    std::sort(kept.begin(), kept.end());
    EXPECT_EQ(kept, want);

    JournalContent present = journal_of(campaign, kFirstRightJournal);
    drop_outdated(context, campaign, present);
    EXPECT_EQ(present.entries.size(), chunks.size());

    context.job.campaign.evaluation = "reference";
    JournalContent reference = journal_of(campaign, kFirstRightJournal - 1);
    drop_outdated(context, campaign, reference);
    EXPECT_EQ(reference.entries.size(), chunks.size());
}

TEST(OutdatedOutcomes, AreCountedInARecord)
{
    CampaignRecord campaign;
    campaign.faults.resize(4);
    campaign.faults.value_before = {0.1F, 0.1F, 2e18F, 0.1F};
    campaign.faults.value_after = {0.2F, 1e38F, 0.5F, std::numeric_limits<float>::quiet_NaN()};
    EXPECT_EQ(overflowing_faults(campaign), 3U);

    TransientCampaignRecord transient;
    transient.faults.stratum = {0, 0, 0, 0};
    transient.faults.bit = {28, 29, 30, 255};
    transient.faults.value = {0, 0, 0, 1};
    EXPECT_EQ(overflowing_faults(transient), 2U);
    transient.faults.bit.clear();
    transient.faults.value = {0.5F, 1e17F, -2e18F, std::numeric_limits<float>::infinity()};
    EXPECT_EQ(overflowing_faults(transient), 2U);
}

// Of instructions, whose bits flip, a chunk of some size holds large ones; of maps with small errors, none
// does.
TEST(OutdatedOutcomes, ChunksOfTransientFaultsGoByTheirErrors)
{
    Job job = job_of("");
    job.campaign.scheme = "layer_wise";
    job.campaign.target = "instructions";
    const Campaign flips = campaign_of(job);
    EXPECT_TRUE(
        std::any_of(flips.plan().chunks().begin(), flips.plan().chunks().end(),
                    [&](const Chunk& chunk) { return holds_overflow(*flips.faults, flips.network, chunk); }));
    job.campaign.target = "feature_maps";
    const Campaign maps = campaign_of(job);
    for (const Chunk& chunk : maps.plan().chunks())
        EXPECT_FALSE(holds_overflow(*maps.faults, maps.network, chunk));
}

}  // namespace
}  // namespace flipstorm
