#include "mpi/chunk_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "engine/base/error.hpp"
#include "tests/mpi/world.hpp"

namespace flipstorm::test
{
namespace
{

/// Items of three layers, the cost falling.
std::vector<QueueItem> some_items(std::size_t count)
{
    std::vector<QueueItem> items;
    for (std::size_t i = 0; i < count; ++i)
        items.push_back({static_cast<std::int32_t>(i * 7 % 3), 1.0 + static_cast<double>(count - i)});
    return items;
}

/// What every rank took, each in the order of its taking.
std::vector<std::vector<std::size_t>> of_all_ranks(const std::vector<std::size_t>& mine)
{
    const std::string bytes(reinterpret_cast<const char*>(mine.data()), mine.size() * sizeof(std::size_t));
    std::vector<std::vector<std::size_t>> result;
    for (const std::string& theirs : world().all_gather(bytes))
    {
        auto& list = result.emplace_back(theirs.size() / sizeof(std::size_t));
        std::memcpy(list.data(), theirs.data(), theirs.size());
    }
    return result;
}

/// Every item was taken once, and no rank took items of a lane in another order than the lane's.
void expect_each_once(const std::vector<Lane>& lanes, const std::vector<std::size_t>& mine, std::size_t count)
{
    std::vector<int> times(count);
    for (const auto& list : of_all_ranks(mine))
    {
        for (const Lane& lane : lanes)
        {
            std::vector<std::size_t> of_lane;
            for (const std::size_t item : list)
            {
                if (std::binary_search(lane.items.begin(), lane.items.end(), item)) of_lane.push_back(item);
            }
            EXPECT_TRUE(std::is_sorted(of_lane.begin(), of_lane.end()));
        }
        for (const std::size_t item : list)
            ++times.at(item);
    }
    EXPECT_EQ(times, std::vector<int>(count, 1));
}

/// Stand in for the computation of a chunk, which lets MPI work every 2 ms; or never, if `silent`.
void compute(ChunkQueue& queue, std::chrono::milliseconds time, bool silent = false)
{
    constexpr std::chrono::milliseconds kTile{2};
    for (; time > std::chrono::milliseconds(0); time -= silent ? time : kTile)
    {
        if (!silent) queue.progress();
        std::this_thread::sleep_for(silent ? time : std::min(time, kTile));
    }
}

/// A barrier within which rank 0 answers.
void wait_for_all(ChunkQueue& queue)
{
    if (world().is_null()) return;
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Ibarrier(world().handle(), &request);
    for (int done = 0; done == 0;)
    {
        queue.progress();
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    }
}

/// Ranks that do not wait for rank 0, which needs 50 ms for a chunk, wait less, on a busy machine, too.
constexpr double kNoStall = 0.04;

/// Mean seconds that the ranks but the first waited for a chunk. Rank 0 needs 50 ms for one, the others 20.
double mean_wait(CounterAccess access, std::uint64_t chunks, bool silent, bool ahead, bool& one_sided)
{
    double waited = 0;
    std::uint64_t taken = 0;
    {
        ChunkQueue queue(world(), some_items(chunks), access);
        one_sided = queue.is_one_sided();
        for (; queue.next(); ++taken)
        {
            if (ahead) queue.take_ahead();
            compute(queue, std::chrono::milliseconds(world().is_root() ? 50 : 20), silent);
        }
        waited = queue.waited();
    }
    const bool asks = !world().is_root();
    waited = world().all_reduce(asks ? waited : 0.0, Reduce::sum);
    return waited / static_cast<double>(world().all_reduce(asks ? taken + 1 : std::uint64_t{0}, Reduce::sum));
}

/// One-sided where the ranks can, and by messages.
class ChunkQueueOnRanks : public testing::TestWithParam<CounterAccess>
{};

TEST_P(ChunkQueueOnRanks, GivesEachChunkOnceAndToEachRankInOrder)
{
    constexpr std::size_t kChunks = 2003;
    std::vector<std::size_t> mine;
    std::vector<Lane> lanes;
    {
        ChunkQueue queue(world(), some_items(kChunks), GetParam());
        lanes = queue.lanes();
        while (const auto chunk = queue.next())
        {
            mine.push_back(*chunk);
            if (mine.size() % 16 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        EXPECT_FALSE(queue.next());
        EXPECT_EQ(queue.state().items(), kChunks);
    }
    expect_each_once(lanes, mine, kChunks);
}

// Three layers of equal cost and ranks of equal speed: a rank changes the layer when one is used up, and in
// the tail.
TEST_P(ChunkQueueOnRanks, ARankStaysWithALayer)
{
    constexpr std::size_t kChunks = 300;
    const std::vector<QueueItem> items = some_items(kChunks);
    std::size_t changes = 0;
    {
        ChunkQueue queue(world(), items, GetParam());
        std::int32_t layer = -1;
        while (const auto chunk = queue.next())
        {
            if (*chunk >= kChunks - 2 * static_cast<std::size_t>(world().size())) continue;
            if (items[*chunk].layer != layer) ++changes;
            layer = items[*chunk].layer;
            compute(queue, std::chrono::milliseconds(2));
        }
    }
    EXPECT_LE(changes, 3U + 1U) << "a rank need not come back to a layer, unless two have equal cost left";
}

TEST_P(ChunkQueueOnRanks, ASlowRankTakesFewerChunks)
{
    if (world().size() < 2) GTEST_SKIP() << "one rank";
    std::vector<std::size_t> mine;
    {
        ChunkQueue queue(world(), some_items(100), GetParam());
        while (const auto chunk = queue.next())
        {
            mine.push_back(*chunk);
            compute(queue, std::chrono::milliseconds(world().is_root() ? 100 : 2));
        }
    }
    if (world().is_root())
    {
        EXPECT_LE(mine.size(), 25U);
    }
    EXPECT_EQ(world().all_reduce(std::uint64_t{mine.size()}, Reduce::sum), 100U);
}

TEST_P(ChunkQueueOnRanks, StopOfAnyRankEndsAll)
{
    constexpr std::size_t kChunks = 100'000;
    for (int stopper = 0; stopper < world().size(); ++stopper)
    {
        std::vector<std::size_t> mine;
        std::vector<Lane> lanes;
        {
            ChunkQueue queue(world(), some_items(kChunks), GetParam());
            lanes = queue.lanes();
            while (const auto chunk = queue.next())
            {
                mine.push_back(*chunk);
                if (world().rank() == stopper && mine.size() == 5) queue.stop();
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
        }
        if (world().rank() == stopper)
        {
            EXPECT_EQ(mine.size(), 5U);
        }
        // What was taken is an unbroken beginning of each lane.
        std::vector<std::size_t> all;
        for (const auto& list : of_all_ranks(mine))
            all.insert(all.end(), list.begin(), list.end());
        std::sort(all.begin(), all.end());
        EXPECT_LT(all.size(), kChunks / 2);
        for (const Lane& lane : lanes)
        {
            std::size_t taken = 0;
            while (taken < lane.size() && std::binary_search(all.begin(), all.end(), lane.items[taken]))
                ++taken;
            for (std::size_t k = taken; k < lane.size(); ++k)
                EXPECT_FALSE(std::binary_search(all.begin(), all.end(), lane.items[k]));
        }
    }
}

TEST_P(ChunkQueueOnRanks, AllRanksMayStopAtOnce)
{
    ChunkQueue queue(world(), some_items(50), GetParam());
    for (int i = 0; i < 3; ++i)
        queue.stop();
    EXPECT_FALSE(queue.next());
    wait_for_all(queue);
    EXPECT_FALSE(queue.next());
    EXPECT_EQ(queue.state().items(), 0U);
}

TEST_P(ChunkQueueOnRanks, EmptyAndSecondQueue)
{
    {
        ChunkQueue empty(world(), {}, GetParam());
        EXPECT_FALSE(empty.next());
    }
    std::uint64_t got = 0;
    {
        ChunkQueue other(world(), some_items(1), GetParam());
        got = other.next() ? 1 : 0;
    }
    EXPECT_EQ(world().all_reduce(got, Reduce::sum), 1U);
}

TEST_P(ChunkQueueOnRanks, NobodyWaitsLongWhileRankZeroComputes)
{
    if (world().size() < 2) GTEST_SKIP() << "one rank";
    bool one_sided = false;
    const double wait =
        mean_wait(GetParam(), 20U * static_cast<unsigned>(world().size()), false, false, one_sided);
    if (world().is_root())
        std::printf("wait per chunk of 50 ms at rank 0: %.2f ms, %s\n", 1e3 * wait,
                    one_sided ? "one-sided" : "messages");
    EXPECT_LT(wait, kNoStall);
}

TEST_P(ChunkQueueOnRanks, ChunksTakenAheadAreGivenOnceAndDoNotMakeWait)
{
    constexpr std::size_t kChunks = 400;
    std::vector<std::size_t> mine;
    std::vector<Lane> lanes;
    double waited = 0;
    {
        ChunkQueue queue(world(), some_items(kChunks), GetParam());
        lanes = queue.lanes();
        while (const auto chunk = queue.next())
        {
            mine.push_back(*chunk);
            queue.take_ahead();
            queue.take_ahead();  // a second time is no more
            compute(queue, std::chrono::milliseconds(mine.size() < 5 ? 10 : 1));
        }
        EXPECT_FALSE(queue.next());
        EXPECT_EQ(queue.state().items(), kChunks);
        waited = queue.waited();
    }
    expect_each_once(lanes, mine, kChunks);
    EXPECT_GT(waited, 0);

    if (world().size() < 2) return;
    // Long chunks, within which rank 0 looks seldom.
    bool one_sided = false;
    const double ahead =
        mean_wait(GetParam(), 20U * static_cast<unsigned>(world().size()), false, true, one_sided);
    if (world().is_root())
        std::printf("wait per chunk of 50 ms at rank 0: %.2f ms, taken ahead\n", 1e3 * ahead);
    EXPECT_LT(ahead, kNoStall);
}

TEST_P(ChunkQueueOnRanks, StopDropsWhatWasTakenAhead)
{
    ChunkQueue queue(world(), some_items(1000), GetParam());
    ASSERT_TRUE(queue.next());
    queue.take_ahead();
    wait_for_all(queue);
    if (world().is_root()) queue.stop();
    wait_for_all(queue);
    // The others may have one more, then none.
    if (!world().is_root())
    {
        EXPECT_TRUE(queue.next());
    }
    EXPECT_FALSE(queue.next());
    queue.take_ahead();
    EXPECT_FALSE(queue.next());
}

INSTANTIATE_TEST_SUITE_P(Access, ChunkQueueOnRanks,
                         testing::Values(CounterAccess::automatic, CounterAccess::messages),
                         [](const auto& tested) {
                             return tested.param == CounterAccess::messages ? "messages" : "automatic";
                         });

// What the test above would show if rank 0 did not let MPI work.
TEST(ChunkQueue, TheOthersWaitForASilentRankZero)
{
    if (world().size() < 2) GTEST_SKIP() << "one rank";
    bool one_sided = false;
    const double wait = mean_wait(CounterAccess::messages, 10U * static_cast<unsigned>(world().size()), true,
                                  false, one_sided);
    EXPECT_FALSE(one_sided);
    if (world().is_root())
        std::printf("wait per chunk of 50 ms at rank 0: %.2f ms, nobody answers\n", 1e3 * wait);
    EXPECT_GT(wait, 0.015);
}

TEST(ChunkQueue, RanksMustAgreeOnTheItems)
{
    if (world().size() < 2) GTEST_SKIP() << "one rank";
    std::vector<QueueItem> items = some_items(10);
    if (world().rank() == 1) std::swap(items[3], items[4]);
    EXPECT_THROW(ChunkQueue(world(), items), Error);
    if (world().rank() == 1) items.pop_back();
    EXPECT_THROW(ChunkQueue(world(), items), Error);
}

}  // namespace
}  // namespace flipstorm::test
