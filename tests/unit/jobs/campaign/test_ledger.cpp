#include "jobs/campaign/ledger.hpp"

#include <gtest/gtest.h>

#include "jobs/campaign/campaign_output.hpp"
#include "tests/unit/jobs/campaign/lenet5_campaign.hpp"

namespace flipstorm
{
namespace
{

class LedgerTest : public testing::Test
{
  protected:
    LedgerTest() : campaign_(test::lenet5_campaign(context_.job)) {}

    static Context context()
    {
        Context made;
        made.job = test::campaign_job("scheme = \"layer_wise\"\nevaluation = \"exact\"\nlimit = 900\n");
        return made;
    }

    [[nodiscard]] const std::vector<Chunk>& chunks() const { return campaign_.plan().chunks(); }

    /// What earlier runs saved: every `step`-th chunk, at the level of a campaign without a screen.
    [[nodiscard]] SavedChunks saved(std::size_t step) const
    {
        SavedChunks found;
        const auto level = static_cast<std::uint8_t>(ScreenLevel::exact);
        for (std::size_t c = 0; c < chunks().size(); c += step)
        {
            found.journal.entries.push_back({ChunkId(c), "", level});
            found.records.emplace(SavedChunks::Key{c, level, kJournalFormat},
                                  test::record_of_chunk(campaign_, chunks()[c]));
        }
        return found;
    }

    Context context_ = context();
    Campaign campaign_;
};

TEST_F(LedgerTest, EndsWhenEveryChunkWasAddedOnce)
{
    Ledger ledger(context_, campaign_, test::kCampaignImages, saved(2));
    ledger.follow_course();
    EXPECT_EQ(ledger.wanted_chunks(), chunks().size());
    EXPECT_EQ(ledger.wanted_faults(), campaign_.plan().size());
    EXPECT_EQ(ledger.found_chunks(), (chunks().size() + 1) / 2);
    const std::vector<Batch> batches = ledger.missing();
    EXPECT_EQ(ledger.missing_chunks(batches), chunks().size() / 2);
    std::uint64_t computed = 0;
    for (const Batch& batch : batches)
    {
        for (const ChunkId id : batch.chunks)
        {
            ASSERT_TRUE(ledger.is_missing(id));
            computed += ledger.chunk(id).count;
            ledger.add(id, test::record_of_chunk(campaign_, ledger.chunk(id)));
        }
    }
    ledger.mark_done(batches);
    ledger.follow_course();
    EXPECT_TRUE(ledger.missing().empty());
    ASSERT_TRUE(ledger.critical().has_value());
    EXPECT_EQ(ledger.critical()->faults, campaign_.plan().size());

    Harvest harvest;
    ledger.hand_over(harvest);
    EXPECT_EQ(harvest.faults, computed);
    EXPECT_EQ(harvest.chunks.size(), chunks().size());
    EXPECT_EQ(harvest.done.size(), chunks().size());

    // Each outcome lands in the row of its fault.
    const CampaignRows rows(campaign_.plan(), harvest.chunks);
    std::vector<int> seen(rows.size(), 0);
    for_each_outcome(context_, campaign_, rows, std::move(harvest.done),
                     [&](std::uint64_t row, const ChunkRecord& record, std::size_t i) {
                         ++seen.at(row);
                         EXPECT_EQ(record.outcomes.at(i).drop,
                                   static_cast<double>(rows.fault(row).value()) / 1000);
                     });
    EXPECT_EQ(seen, std::vector<int>(rows.size(), 1));
}

TEST_F(LedgerTest, TakesNoChunkThatThePlanDoesNotHave)
{
    SavedChunks foreign = saved(1);
    foreign.journal.entries.push_back({ChunkId(chunks().size()), "", 0});
    EXPECT_THROW(Ledger(context_, campaign_, test::kCampaignImages, std::move(foreign)), FileError);
}

// Of two segments the journal chooses one: the record that comes with it is that segment's.
TEST_F(LedgerTest, TakesTheRecordOfTheSegmentThatTheJournalChose)
{
    SavedChunks two = saved(chunks().size());
    ChunkRecord old = test::record_of_chunk(campaign_, chunks()[0]);
    old.outcomes[0].drop = -1;
    two.records.emplace(
        SavedChunks::Key{0, static_cast<std::uint8_t>(ScreenLevel::exact), kOldestJournalFormat}, old);
    const std::vector<DoneChunk> taken = two.take();
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_EQ(taken[0].record.outcomes[0].drop, 0);
    EXPECT_TRUE(two.records.empty());
}

}  // namespace
}  // namespace flipstorm
