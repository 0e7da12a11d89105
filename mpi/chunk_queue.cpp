#include "mpi/chunk_queue.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/base/timing.hpp"

namespace flipstorm
{
namespace
{

/// stop() adds this to the counters. A sum, because MPI promises atomicity among equal operations only; and
/// small enough that 2^24 ranks that stop at once do not wrap a counter around.
constexpr std::uint64_t kStop = std::uint64_t{1} << 40U;

/// FNV-1a over the items, to tell two queues apart.
std::uint64_t fingerprint(const std::vector<QueueItem>& items)
{
    std::uint64_t hash = 0xcbf29ce484222325U;
    const auto add = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3U; };
    for (const QueueItem& item : items)
    {
        std::uint64_t cost = 0;
        std::memcpy(&cost, &item.cost, sizeof cost);
        add(static_cast<std::uint64_t>(item.layer));
        add(cost);
    }
    return hash ^ items.size();
}

/// The lanes of items that are the same on all ranks. \throws Error if not, before anything is made that
/// would have to be undone by all.
std::vector<Lane> agreed_lanes(const Communicator& communicator, const std::vector<QueueItem>& items)
{
    FS_REQUIRE(items.size() < kStop / 2, "a queue of {} chunks is too long", items.size());
    const std::uint64_t mine = fingerprint(items);
    FS_REQUIRE(communicator.all_reduce(mine, Reduce::min) == communicator.all_reduce(mine, Reduce::max),
               "the ranks disagree about the chunks to do (rank {} has {})", communicator.rank(),
               items.size());
    return lanes_of(items, static_cast<std::uint64_t>(communicator.size()));
}

}  // namespace

std::uint64_t QueueState::items() const
{
    return std::accumulate(taken.begin(), taken.end(), std::uint64_t{0});
}

double QueueState::cost(const std::vector<Lane>& lanes) const
{
    double sum = 0;
    for (std::size_t l = 0; l < lanes.size(); ++l)
        sum += lanes[l].cost_before.at(taken.at(l));
    return sum;
}

ChunkQueue::ChunkQueue(const Communicator& communicator, const std::vector<QueueItem>& items,
                       CounterAccess access)
    : lanes_(agreed_lanes(communicator, items)),
      counters_(communicator, lanes_.size(), access),
      lane_(first_lane(lanes_, static_cast<std::uint64_t>(communicator.rank()),
                       static_cast<std::uint64_t>(communicator.size())))
{}

std::optional<std::size_t> ChunkQueue::next()
{
    if (ended_here_) return std::nullopt;
    const Stopwatch watch;
    std::uint64_t place = counters_.is_started() ? counters_.finish() : counters_.fetch_and_add(lane_, 1);
    while (place >= lanes_[lane_].size())
    {
        // Who stops the queue does so lane by lane: any that shows it is enough.
        const bool stopped = place >= kStop;
        const std::size_t lane = stopped ? lanes_.size() : next_lane(lanes_, counters_.read());
        if (lane == lanes_.size())
        {
            ended_here_ = true;
            break;
        }
        lane_ = lane;
        place = counters_.fetch_and_add(lane_, 1);
    }
    waited_ += watch.seconds();
    if (ended_here_) return std::nullopt;
    return lanes_[lane_].items[place];
}

void ChunkQueue::take_ahead()
{
    if (!ended_here_ && !counters_.is_started() && lane_ != tail()) counters_.start(lane_, 1);
}

void ChunkQueue::stop()
{
    for (std::size_t lane = 0; !ended_here_ && lane < lanes_.size(); ++lane)
        counters_.fetch_and_add(lane, kStop);
    ended_here_ = true;
}

bool ChunkQueue::stopped()
{
    const std::vector<std::uint64_t> taken = counters_.read();
    return std::any_of(taken.begin(), taken.end(), [](std::uint64_t count) { return count >= kStop; });
}

QueueState ChunkQueue::state()
{
    QueueState state{counters_.read()};
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane)
        state.taken[lane] = std::min<std::uint64_t>(state.taken[lane] % kStop, lanes_[lane].size());
    return state;
}

bool ChunkQueue::is_ahead(const QueueState& state) const
{
    for (std::size_t lane = 0; lane < tail(); ++lane)
    {
        if (state.taken.at(lane) < lanes_[lane].size()) return true;
    }
    return false;
}

}  // namespace flipstorm
