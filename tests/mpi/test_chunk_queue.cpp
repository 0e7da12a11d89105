#include "mpi/chunk_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
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

TEST(ChunkQueue, GivesEachChunkOnceAndToEachRankInOrder)
{
    constexpr std::size_t kChunks = 2003;
    const std::vector<ChunkId> order = some_order(kChunks);
    std::vector<ChunkId> mine;
    {
        ChunkQueue queue(world(), order);
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

TEST(ChunkQueue, ASlowRankTakesFewerChunks)
{
    if (world().size() < 2) GTEST_SKIP() << "one rank";
    const std::vector<ChunkId> order = some_order(100);
    std::vector<ChunkId> mine;
    {
        ChunkQueue queue(world(), order);
        while (const auto chunk = queue.next())
        {
            mine.push_back(*chunk);
            std::this_thread::sleep_for(std::chrono::milliseconds(world().is_root() ? 100 : 2));
        }
    }
    if (world().is_root())
    {
        EXPECT_LE(mine.size(), 25U);
    }
    EXPECT_EQ(world().all_reduce(std::uint64_t{mine.size()}, Reduce::sum), 100U);
}

TEST(ChunkQueue, StopOfAnyRankEndsAll)
{
    constexpr std::size_t kChunks = 100'000;
    for (int stopper = 0; stopper < world().size(); ++stopper)
    {
        const std::vector<ChunkId> order = some_order(kChunks);
        std::vector<ChunkId> mine;
        {
            ChunkQueue queue(world(), order);
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

TEST(ChunkQueue, AllRanksMayStopAtOnce)
{
    ChunkQueue queue(world(), some_order(50));
    for (int i = 0; i < 3; ++i)
        queue.stop();
    EXPECT_FALSE(queue.next());
    world().barrier();
    EXPECT_FALSE(queue.next());
    EXPECT_EQ(queue.taken(), 0U);
}

TEST(ChunkQueue, EmptyAndSecondQueue)
{
    ChunkQueue empty(world(), {});
    ChunkQueue other(world(), some_order(1));
    EXPECT_FALSE(empty.next());
    const std::uint64_t got = other.next() ? 1 : 0;
    EXPECT_EQ(world().all_reduce(got, Reduce::sum), 1U);
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
