#pragma once
// Work for all ranks from shared counters: each rank takes the next chunk when it is free, so ranks of
// unequal speed and chunks of unequal cost balance themselves. It stays with a layer while that has chunks
// (chunk_lanes.hpp). The counters live at rank 0 (SharedCounters).

#include <cstdint>
#include <optional>
#include <vector>

#include "mpi/chunk_lanes.hpp"
#include "mpi/communicator.hpp"
#include "mpi/shared_counters.hpp"

namespace flipstorm
{

/// How far the ranks are with a queue.
struct QueueState
{
    std::vector<std::uint64_t> taken;  ///< items by lane

    [[nodiscard]] std::uint64_t items() const;
    [[nodiscard]] double cost(const std::vector<Lane>& lanes) const;
};

/// Not thread-safe: one thread per rank takes chunks. Its end is \collective: each rank waits there,
/// patiently, until all have no more use for the queue. Until then rank 0 must not wait in another
/// collective.
class ChunkQueue
{
  public:
    /**
     * A queue of chunks, dearest first; it gives them by their places.
     *
     * \throws Error unless `items` are the same on all ranks. \collective
     */
    ChunkQueue(const Communicator& communicator, const std::vector<QueueItem>& items,
               CounterAccess access = CounterAccess::automatic);

    /// The next chunk that no rank has taken; none when all are taken or any rank has called stop().
    [[nodiscard]] std::optional<std::size_t> next();

    /**
     * Take the chunk after the present one already now, so that next() need not wait for its number.
     *
     * Nothing is done in the tail: there a chunk that waits for a busy rank might keep all others waiting. A
     * chunk that was taken and not asked for by next() is lost to all ranks.
     */
    void take_ahead();

    /// End the queue for all ranks: each gets none from its next call of next(), or what it has taken ahead
    /// and then none; this rank none. Chunks taken before are still to be finished by who took them. Any rank
    /// may call it, at any time, more than once.
    void stop();

    /// Whether any rank has called stop(). Asks rank 0: not to be called too often.
    [[nodiscard]] bool stopped();

    /// Let the others have their chunks while this rank computes: rank 0 calls it often, every few
    /// milliseconds if it can; see SharedCounters::progress().
    void progress() { counters_.progress(); }

    /// Seconds that this rank has waited in next() so far.
    [[nodiscard]] double waited() const { return waited_; }

    /// Whether next() needs no message to rank 0 and back.
    [[nodiscard]] bool is_one_sided() const { return counters_.is_one_sided(); }

    /// What the ranks have taken so far.
    [[nodiscard]] QueueState state();

    /// Whether ranks take chunks ahead when so much is taken: some lane but the tail has chunks left.
    [[nodiscard]] bool is_ahead(const QueueState& state) const;

    [[nodiscard]] const std::vector<Lane>& lanes() const { return lanes_; }

  private:
    [[nodiscard]] std::size_t tail() const { return lanes_.size() - 1; }

    std::vector<Lane> lanes_;
    SharedCounters counters_;
    std::size_t lane_;  ///< of this rank
    double waited_ = 0;
    bool ended_here_ = false;
};

}  // namespace flipstorm
