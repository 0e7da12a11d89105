#include "mpi/chunk_queue.hpp"

#include <algorithm>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/base/timing.hpp"

namespace flipstorm
{
namespace
{

/// stop() adds this to the counter. A sum, because MPI promises atomicity among equal operations only; and
/// small enough that 2^24 ranks that stop at once do not wrap the counter around.
constexpr std::uint64_t kStop = std::uint64_t{1} << 40U;

/// FNV-1a over the ids, to tell two orders apart.
std::uint64_t fingerprint(const std::vector<ChunkId>& order)
{
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const ChunkId chunk : order)
        hash = (hash ^ chunk.value()) * 0x100000001b3U;
    return hash ^ order.size();
}

/// The order, which is the same on all ranks. \throws Error if not, before anything is made that would have
/// to be undone by all.
std::vector<ChunkId> agreed(const Communicator& communicator, std::vector<ChunkId> order)
{
    FS_REQUIRE(order.size() < kStop / 2, "a queue of {} chunks is too long", order.size());
    const std::uint64_t mine = fingerprint(order);
    FS_REQUIRE(communicator.all_reduce(mine, Reduce::min) == communicator.all_reduce(mine, Reduce::max),
               "the ranks disagree about the chunks to do (rank {} has {})", communicator.rank(),
               order.size());
    return order;
}

}  // namespace

ChunkQueue::ChunkQueue(const Communicator& communicator, std::vector<ChunkId> order, CounterAccess access)
    : order_(agreed(communicator, std::move(order))),
      counter_(communicator, access),
      ranks_(static_cast<std::uint64_t>(communicator.size()))
{}

std::optional<ChunkId> ChunkQueue::next()
{
    if (ended_here_) return std::nullopt;
    const Stopwatch watch;
    const std::uint64_t position = counter_.is_started() ? counter_.finish() : counter_.fetch_and_add(1);
    waited_ += watch.seconds();
    last_ = position;
    if (position < order_.size()) return order_[position];
    ended_here_ = true;
    return std::nullopt;
}

void ChunkQueue::take_ahead()
{
    if (!ended_here_ && !counter_.is_started() && is_ahead(last_)) counter_.start(1);
}

void ChunkQueue::stop()
{
    if (!ended_here_) counter_.fetch_and_add(kStop);
    ended_here_ = true;
}

bool ChunkQueue::is_stopped()
{
    return counter_.fetch_and_add(0) >= kStop;
}

std::uint64_t ChunkQueue::taken()
{
    return std::min<std::uint64_t>(counter_.fetch_and_add(0) % kStop, order_.size());
}

}  // namespace flipstorm
