// The chunk queue of one rank without MPI.

#include "mpi/chunk_queue.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace flipstorm
{
namespace
{

/// Two layers by turns; the last two of 8 are the tail.
std::vector<QueueItem> two_layers()
{
    std::vector<QueueItem> items;
    for (int i = 0; i < 8; ++i)
        items.push_back({i % 2, 10.0 - i});
    return items;
}

std::vector<std::size_t> rest_of(ChunkQueue& queue)
{
    std::vector<std::size_t> places;
    while (const auto place = queue.next())
        places.push_back(*place);
    return places;
}

TEST(ChunkQueueOfOne, GivesLayerByLayerThenTheTail)
{
    ChunkQueue queue(Communicator(), two_layers());
    EXPECT_EQ(queue.lanes().size(), 3U);
    EXPECT_EQ(queue.state().items(), 0U);
    // Costs 10 + 8 + 6 of layer 0, 9 + 7 + 5 of layer 1: the middle of 45 lies in the first.
    EXPECT_EQ(queue.next(), 0U);
    EXPECT_EQ(queue.next(), 2U);
    EXPECT_EQ(queue.state().taken, (std::vector<std::uint64_t>{2, 0, 0}));
    EXPECT_EQ(queue.state().cost(queue.lanes()), 18);
    EXPECT_TRUE(queue.is_ahead(queue.state()));
    EXPECT_EQ(rest_of(queue), (std::vector<std::size_t>{4, 1, 3, 5, 6, 7}));
    EXPECT_FALSE(queue.next());
    EXPECT_EQ(queue.state().items(), 8U);
    EXPECT_EQ(queue.state().cost(queue.lanes()), 10 + 9 + 8 + 7 + 6 + 5 + 4 + 3);
    EXPECT_FALSE(queue.is_ahead(queue.state()));
}

TEST(ChunkQueueOfOne, GivesWhatWasTakenAhead)
{
    ChunkQueue queue(Communicator(), std::vector<QueueItem>(4, {0, 1}));
    EXPECT_EQ(queue.next(), 0U);
    queue.take_ahead();
    EXPECT_EQ(queue.state().items(), 2U);
    EXPECT_EQ(queue.next(), 1U);
    queue.take_ahead();  // its lane is empty: nothing is taken
    EXPECT_EQ(queue.state().items(), 2U);
    EXPECT_EQ(queue.next(), 2U);
    queue.take_ahead();  // not in the tail
    EXPECT_EQ(queue.state().items(), 3U);
    EXPECT_EQ(queue.next(), 3U);
    EXPECT_FALSE(queue.next());
}

TEST(ChunkQueueOfOne, EmptyQueueGivesNothing)
{
    ChunkQueue queue(Communicator(), {});
    EXPECT_FALSE(queue.next());
    EXPECT_EQ(queue.state().items(), 0U);
}

TEST(ChunkQueueOfOne, StopEndsItForGood)
{
    ChunkQueue queue(Communicator(), two_layers());
    EXPECT_TRUE(queue.next());
    for (int i = 0; i < 5; ++i)
        queue.stop();
    EXPECT_FALSE(queue.next());
    EXPECT_EQ(queue.state().items(), 1U);
}

}  // namespace
}  // namespace flipstorm
