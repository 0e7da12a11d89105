#pragma once
// Work for all ranks from one shared counter: each rank takes the next chunk when it is free, so ranks of
// unequal speed and chunks of unequal cost balance themselves. The counter lives at rank 0 (SharedCounter).

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/base/ids.hpp"
#include "mpi/communicator.hpp"
#include "mpi/shared_counter.hpp"

namespace flipstorm
{

/// Not thread-safe: one thread per rank takes chunks. Its end is \collective: each rank waits there,
/// patiently, until all have no more use for the queue. Until then rank 0 must not wait in another
/// collective.
class ChunkQueue
{
  public:
    /**
     * A queue of the chunks in `order`, dearest first.
     *
     * \throws Error unless `order` is the same on all ranks. \collective
     */
    ChunkQueue(const Communicator& communicator, std::vector<ChunkId> order,
               CounterAccess access = CounterAccess::automatic);

    /// The next chunk that no rank has taken; none when all are taken or any rank has called stop().
    [[nodiscard]] std::optional<ChunkId> next();

    /**
     * Take the chunk after the present one already now, so that next() need not wait for its number.
     *
     * Nothing is done for the last two chunks per rank: there a chunk that waits for a busy rank might keep
     * all others waiting. A chunk that was taken and not asked for by next() is lost to all ranks.
     */
    void take_ahead();

    /// End the queue for all ranks: each gets none from its next call of next(), or what it has taken ahead
    /// and then none; this rank none. Chunks taken before are still to be finished by who took them. Any rank
    /// may call it, at any time, more than once.
    void stop();

    /// Whether any rank has called stop(): for one that has more to do than a chunk before it asks for the
    /// next.
    [[nodiscard]] bool is_stopped();

    /// Whether so many chunks are left behind the first `taken` that ranks take chunks ahead.
    [[nodiscard]] bool is_ahead(std::uint64_t taken) const { return taken + kTail * ranks_ < order_.size(); }

    /// Let the others have their chunks while this rank computes: rank 0 calls it often, every few
    /// milliseconds if it can; see SharedCounter::progress().
    void progress() { counter_.progress(); }

    /// Seconds that this rank has waited in next() so far.
    [[nodiscard]] double waited() const { return waited_; }

    /// Whether next() needs no message to rank 0 and back.
    [[nodiscard]] bool is_one_sided() const { return counter_.is_one_sided(); }

    /// How many chunks the ranks have taken so far, for a progress line.
    [[nodiscard]] std::uint64_t taken();

    /// Number of chunks in the queue at the start.
    [[nodiscard]] std::uint64_t size() const { return order_.size(); }

  private:
    static constexpr std::uint64_t kTail = 2;  ///< chunks per rank

    std::vector<ChunkId> order_;
    SharedCounter counter_;
    std::uint64_t ranks_;
    std::uint64_t last_ = 0;  ///< position of the last chunk of this rank
    double waited_ = 0;
    bool ended_here_ = false;
};

}  // namespace flipstorm
