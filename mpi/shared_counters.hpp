#pragma once
// Counters that all ranks advance, each when it needs to. They live at rank 0.
//
// Where the MPI library offers one-sided communication between all ranks (shared memory, InfiniBand, …) the
// others reach them without rank 0's help. Over TCP some libraries answer for rank 0 only while it is inside
// MPI, and some offer no window at all (Open MPI 4 as Debian configures it): then they are asked by
// messages, which rank 0 answers. In both cases rank 0 calls progress() while it computes, often.

#include <mpi.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/timing.hpp"
#include "mpi/communicator.hpp"

namespace flipstorm
{

/// How ranks reach shared counters.
enum class CounterAccess
{
    automatic,  ///< one-sided if all ranks can, else messages
    one_sided,
    messages,
};

/// Not thread-safe. One set at a time: rank 0 answers for the counters that it waits for.
class SharedCounters
{
  public:
    /// So many counters, one at least, all at 0. \throws MpiError if one-sided access is demanded and cannot
    /// be had. \collective
    SharedCounters(const Communicator& communicator, std::size_t count,
                   CounterAccess access = CounterAccess::automatic);
    SharedCounters(const SharedCounters&) = delete;
    SharedCounters& operator=(const SharedCounters&) = delete;

    /// Waits, patiently and answering, until all ranks have no more use for the counters; not while an
    /// exception unwinds the stack. \collective
    ~SharedCounters();

    [[nodiscard]] std::size_t size() const { return count_; }

    /// Add to a counter. \return its value before. Waits for rank 0 where it needs its help: so that rank
    /// must not be in another collective meanwhile.
    std::uint64_t fetch_and_add(std::size_t counter, std::uint64_t increment);

    /// All counters, each as it was at some moment of the call. Waits as fetch_and_add() does.
    [[nodiscard]] std::vector<std::uint64_t> read();

    /// fetch_and_add() in two steps, between which this rank may do other things: what it would have waited
    /// for has come meanwhile. One at a time; the functions above may be called in between.
    void start(std::size_t counter, std::uint64_t increment);
    [[nodiscard]] bool is_started() const { return started_; }
    std::uint64_t finish();

    /// Let MPI work: rank 0 answers the others, and what was started goes on. Looks at most once a
    /// millisecond, so it may be called at any rate.
    void progress();

    [[nodiscard]] bool is_one_sided() const { return window_ != MPI_WIN_NULL; }

  private:
    /// A counter and what to add to it; or all of them, to be read.
    using Question = std::array<std::uint64_t, 2>;

    void open_window(CounterAccess access);
    void ask(const Question& question, std::uint64_t* answer, MPI_Request& request);
    static void wait(MPI_Request& request);
    void answer();

    Communicator communicator_;
    Communicator messages_;  ///< for questions and answers alone; null with a window
    std::size_t count_;
    std::vector<std::uint64_t> values_;  ///< where there is no window; on rank 0
    MPI_Win window_ = MPI_WIN_NULL;
    bool started_ = false;
    Question question_{};       ///< that was started
    std::uint64_t before_ = 0;  ///< and its answer, once `request_` is done
    MPI_Request request_ = MPI_REQUEST_NULL;
    Stopwatch watch_;
    double looked_ = 0;
    int unwinding_at_start_;
};

}  // namespace flipstorm
