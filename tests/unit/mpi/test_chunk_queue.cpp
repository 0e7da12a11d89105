// The chunk queue of one rank without MPI.

#include "mpi/chunk_queue.hpp"

#include <gtest/gtest.h>

namespace flipstorm
{
namespace
{

TEST(ChunkQueueOfOne, GivesEveryChunkInOrder)
{
    ChunkQueue queue(Communicator(), {ChunkId(5), ChunkId(2), ChunkId(9)});
    EXPECT_EQ(queue.size(), 3U);
    EXPECT_EQ(queue.taken(), 0U);
    EXPECT_EQ(queue.next(), ChunkId(5));
    EXPECT_EQ(queue.next(), ChunkId(2));
    EXPECT_EQ(queue.taken(), 2U);
    EXPECT_EQ(queue.next(), ChunkId(9));
    EXPECT_FALSE(queue.next());
    EXPECT_FALSE(queue.next());
    EXPECT_EQ(queue.taken(), 3U);
}

TEST(ChunkQueueOfOne, GivesWhatWasTakenAhead)
{
    ChunkQueue queue(Communicator(), {ChunkId(5), ChunkId(2), ChunkId(9), ChunkId(4)});
    EXPECT_EQ(queue.next(), ChunkId(5));
    queue.take_ahead();
    EXPECT_EQ(queue.taken(), 2U);
    EXPECT_EQ(queue.next(), ChunkId(2));
    queue.take_ahead();
    EXPECT_EQ(queue.next(), ChunkId(9));
    EXPECT_EQ(queue.taken(), 3U);
    queue.take_ahead();  // not in the last two
    EXPECT_EQ(queue.taken(), 3U);
    EXPECT_EQ(queue.next(), ChunkId(4));
    EXPECT_FALSE(queue.next());
}

TEST(ChunkQueueOfOne, EmptyQueueGivesNothing)
{
    ChunkQueue queue(Communicator(), {});
    EXPECT_FALSE(queue.next());
    EXPECT_EQ(queue.taken(), 0U);
}

TEST(ChunkQueueOfOne, StopEndsItForGood)
{
    ChunkQueue queue(Communicator(), {ChunkId(0), ChunkId(1), ChunkId(2)});
    EXPECT_TRUE(queue.next());
    EXPECT_FALSE(queue.is_stopped());
    for (int i = 0; i < 5; ++i)
        queue.stop();
    EXPECT_FALSE(queue.next());
    EXPECT_EQ(queue.taken(), 1U);
    EXPECT_TRUE(queue.is_stopped());
}

}  // namespace
}  // namespace flipstorm
