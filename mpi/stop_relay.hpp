#pragma once
// While rank 0 works alone and the others wait, a stop that only one of them was asked for (a signal to one
// process) has to reach rank 0.

#include <memory>

#include "mpi/communicator.hpp"
#include "mpi/stop.hpp"

namespace flipstorm
{

/**
 * One wait of all ranks for rank 0. All ranks make one; then rank 0 works, asks told() now and then, and
 * calls finish(), while the others call wait(). Without ranks, or with one, it does nothing. Not thread-safe:
 * only the thread that calls MPI may call it.
 */
class StopRelay
{
  public:
    /// \param stop  of this rank; what the others tell is added to rank 0's
    StopRelay(const Communicator& communicator, StopConditions* stop);
    StopRelay(const StopRelay&) = delete;
    StopRelay& operator=(const StopRelay&) = delete;
    ~StopRelay();

    /// On rank 0: take what the others have told, at most ten times a second.
    void listen();

    /// Wait until all ranks have called it, without burning the core; the others tell rank 0 of a reason to
    /// stop as soon as they have one. \collective
    void wait();

  private:
    struct Requests;

    void receive_waiting();

    Communicator communicator_;
    StopConditions* stop_;
    double next_ = 0;
    std::uint64_t received_ = 0;
    std::unique_ptr<Requests> requests_;
};

}  // namespace flipstorm
