#pragma once
// A counter that all ranks advance, each when it needs to. It lives at rank 0.
//
// Where the MPI library offers one-sided communication between all ranks (shared memory, InfiniBand, …) the
// others reach it without rank 0's help. Over TCP some libraries answer for rank 0 only while it is inside
// MPI, and some offer no window at all (Open MPI 4 as Debian configures it): then the counter is asked by
// messages, which rank 0 answers. In both cases rank 0 calls progress() while it computes, often.

#include <mpi.h>

#include <cstdint>

#include "engine/base/timing.hpp"
#include "mpi/communicator.hpp"

namespace flipstorm
{

/// How ranks reach a shared counter.
enum class CounterAccess
{
    automatic,  ///< one-sided if all ranks can, else messages
    one_sided,
    messages,
};

/// Not thread-safe. One at a time: rank 0 answers for the counter that it waits in.
class SharedCounter
{
  public:
    /// A counter at 0. \throws MpiError if one-sided access is demanded and cannot be had. \collective
    explicit SharedCounter(const Communicator& communicator, CounterAccess access = CounterAccess::automatic);
    SharedCounter(const SharedCounter&) = delete;
    SharedCounter& operator=(const SharedCounter&) = delete;

    /// Waits, patiently and answering, until all ranks have no more use for the counter; not while an
    /// exception unwinds the stack. \collective
    ~SharedCounter();

    /// Add to the counter. \return its value before. Waits for rank 0 where it needs its help: so that rank
    /// must not be in another collective meanwhile.
    std::uint64_t fetch_and_add(std::uint64_t increment);

    /// The same in two steps, between which this rank may do other things: what it would have waited for has
    /// come meanwhile. One at a time; fetch_and_add() may be called in between.
    void start(std::uint64_t increment);
    [[nodiscard]] bool is_started() const { return started_; }
    std::uint64_t finish();

    /// Let MPI work: rank 0 answers the others, and what was started goes on. Looks at most once a
    /// millisecond, so it may be called at any rate.
    void progress();

    [[nodiscard]] bool is_one_sided() const { return window_ != MPI_WIN_NULL; }

  private:
    void open_window(CounterAccess access);
    void ask(const std::uint64_t& increment, std::uint64_t& before, MPI_Request& request);
    static void wait(MPI_Request& request);
    void answer();

    Communicator communicator_;
    Communicator messages_;    ///< for questions and answers alone; null with a window
    std::uint64_t value_ = 0;  ///< where there is no window; on rank 0
    MPI_Win window_ = MPI_WIN_NULL;
    bool started_ = false;
    std::uint64_t increment_ = 0;  ///< that was started
    std::uint64_t before_ = 0;     ///< and its result, once `request_` is done
    MPI_Request request_ = MPI_REQUEST_NULL;
    Stopwatch watch_;
    double looked_ = 0;
    int unwinding_at_start_;
};

}  // namespace flipstorm
