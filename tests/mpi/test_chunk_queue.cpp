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

/// Chunks in an order that is not that of their numbers.
std::vector<ChunkId> some_order(std::uint64_t count)
{
    std::vector<ChunkId> order;
    for (std::uint64_t i = 0; i < count; ++i)
        order.emplace_back(1000 + (i * 7) % count);
    return order;
}

/// Positions in `order` of the chunks of every rank.
std::vector<std::vector<std::size_t>> positions(const std::vector<ChunkId>& order,
                                                const std::vector<ChunkId>& mine)
{
    std::string bytes;
    for (const ChunkId chunk : mine)
    {
        const auto position =
            static_cast<std::size_t>(std::find(order.begin(), order.end(), chunk) - order.begin());
        bytes.append(reinterpret_cast<const char*>(&position), sizeof position);
    }
    std::vector<std::vector<std::size_t>> result;
    for (const std::string& theirs : world().all_gather(bytes))
    {
        auto& list = result.emplace_back(theirs.size() / sizeof(std::size_t));
        std::memcpy(list.data(), theirs.data(), theirs.size());
    }
    return result;
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

/// Mean seconds that the ranks but the first waited for a chunk. Rank 0 needs 50 ms for one, the others 20.
double mean_wait(CounterAccess access, std::uint64_t chunks, bool silent, bool ahead, bool& one_sided)
{
    double waited = 0;
    std::uint64_t taken = 0;
    {
        ChunkQueue queue(world(), some_order(chunks), access);
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
    const std::vector<ChunkId> order = some_order(kChunks);
    std::vector<ChunkId> mine;
    {
        ChunkQueue queue(world(), order, GetParam());
        EXPECT_EQ(queue.size(), kChunks);
        while (const auto chunk = queue.next())
        {
            mine.push_back(*chunk);
            if (mine.size() % 16 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        EXPECT_FALSE(queue.next());
        EXPECT_EQ(queue.taken(), kChunks);
    }
    std::vector<int> times(kChunks);
    for (const auto& list : positions(order, mine))
    {
        EXPECT_TRUE(std::is_sorted(list.begin(), list.end()));
        for (const std::size_t position : list)
            ++times.at(position);
    }
    EXPECT_EQ(times, std::vector<int>(kChunks, 1));
}

TEST_P(ChunkQueueOnRanks, ASlowRankTakesFewerChunks)
{
    if (world().size() < 2) GTEST_SKIP() << "one rank";
    const std::vector<ChunkId> order = some_order(100);
    std::vector<ChunkId> mine;
    {
        ChunkQueue queue(world(), order, GetParam());
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
        const std::vector<ChunkId> order = some_order(kChunks);
        std::vector<ChunkId> mine;
        {
            ChunkQueue queue(world(), order, GetParam());
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
        // What was taken is an unbroken beginning of the order.
        std::vector<std::size_t> all;
        for (const auto& list : positions(order, mine))
            all.insert(all.end(), list.begin(), list.end());
        std::sort(all.begin(), all.end());
        EXPECT_LT(all.size(), kChunks / 2);
        for (std::size_t i = 0; i < all.size(); ++i)
            EXPECT_EQ(all[i], i);
    }
}

TEST_P(ChunkQueueOnRanks, AllRanksMayStopAtOnce)
{
    ChunkQueue queue(world(), some_order(50), GetParam());
    for (int i = 0; i < 3; ++i)
        queue.stop();
    EXPECT_FALSE(queue.next());
    wait_for_all(queue);
    EXPECT_FALSE(queue.next());
    EXPECT_EQ(queue.taken(), 0U);
}

TEST_P(ChunkQueueOnRanks, EmptyAndSecondQueue)
{
    {
        ChunkQueue empty(world(), {}, GetParam());
        EXPECT_FALSE(empty.next());
    }
    std::uint64_t got = 0;
    {
        ChunkQueue other(world(), some_order(1), GetParam());
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
    EXPECT_LT(wait, 0.015);
}

TEST_P(ChunkQueueOnRanks, ChunksTakenAheadAreGivenOnceAndDoNotMakeWait)
{
    constexpr std::size_t kChunks = 400;
    const std::vector<ChunkId> order = some_order(kChunks);
    std::vector<ChunkId> mine;
    double waited = 0;
    {
        ChunkQueue queue(world(), order, GetParam());
        while (const auto chunk = queue.next())
        {
            mine.push_back(*chunk);
            queue.take_ahead();
            queue.take_ahead();  // a second time is no more
            compute(queue, std::chrono::milliseconds(mine.size() < 5 ? 10 : 1));
        }
        EXPECT_FALSE(queue.next());
        EXPECT_EQ(queue.taken(), kChunks);
        waited = queue.waited();
    }
    std::vector<int> times(kChunks);
    for (const auto& list : positions(order, mine))
    {
        EXPECT_TRUE(std::is_sorted(list.begin(), list.end()));
        for (const std::size_t position : list)
            ++times.at(position);
    }
    EXPECT_EQ(times, std::vector<int>(kChunks, 1));
    EXPECT_GT(waited, 0);

    if (world().size() < 2) return;
    // Long chunks, within which rank 0 looks seldom.
    bool one_sided = false;
    const double ahead =
        mean_wait(GetParam(), 20U * static_cast<unsigned>(world().size()), false, true, one_sided);
    if (world().is_root())
        std::printf("wait per chunk of 50 ms at rank 0: %.2f ms, taken ahead\n", 1e3 * ahead);
    EXPECT_LT(ahead, 0.015);
}

TEST_P(ChunkQueueOnRanks, StopDropsWhatWasTakenAhead)
{
    ChunkQueue queue(world(), some_order(1000), GetParam());
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

TEST(ChunkQueue, RanksMustAgreeOnTheOrder)
{
    if (world().size() < 2) GTEST_SKIP() << "one rank";
    std::vector<ChunkId> order = some_order(10);
    if (world().rank() == 1) std::swap(order[3], order[4]);
    EXPECT_THROW(ChunkQueue(world(), order), Error);
    if (world().rank() == 1) order.pop_back();
    EXPECT_THROW(ChunkQueue(world(), order), Error);
}

}  // namespace
}  // namespace flipstorm::test
