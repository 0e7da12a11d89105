#pragma once
// Work for all ranks from one shared counter: each rank takes the next chunk when it is free, so ranks of
// unequal speed and chunks of unequal cost balance themselves. The counter lives at rank 0 and is advanced by
// one-sided MPI, which does not interrupt rank 0's own work.

#include <mpi.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/base/ids.hpp"
#include "mpi/communicator.hpp"

namespace flipstorm
{

/// Not thread-safe: one thread per rank takes chunks.
class ChunkQueue
{
  public:
    /**
     * A queue of the chunks in `order`, dearest first.
     *
     * \throws Error unless `order` is the same on all ranks. \collective
     */
    ChunkQueue(const Communicator& communicator, std::vector<ChunkId> order);
    ChunkQueue(const ChunkQueue&) = delete;
    ChunkQueue& operator=(const ChunkQueue&) = delete;

    /// Waits, patiently, until all ranks have no more use for the queue; not while an exception unwinds the
    /// stack. \collective
    ~ChunkQueue();

    /// The next chunk that no rank has taken; none when all are taken or any rank has called stop().
    [[nodiscard]] std::optional<ChunkId> next();

    /// End the queue for all ranks: each gets none from its next call of next(). Chunks taken before are
    /// still to be finished by who took them. Any rank may call it, at any time, more than once.
    void stop();

    /// How many chunks the ranks have taken so far, for a progress line.
    [[nodiscard]] std::uint64_t taken();

    /// Number of chunks in the queue at the start.
    [[nodiscard]] std::uint64_t size() const { return order_.size(); }

  private:
    std::uint64_t fetch_and_add(std::uint64_t increment);

    Communicator communicator_;
    std::vector<ChunkId> order_;
    std::uint64_t local_counter_ = 0;  ///< used by the null communicator
    MPI_Win window_ = MPI_WIN_NULL;
    bool ended_here_ = false;
    int unwinding_at_start_;
};

}  // namespace flipstorm
