#pragma once
// What the process needs before it does anything: standard descriptors, signals, and a last word for
// exceptions that nobody catches.

#include <optional>

#include "mpi/stop.hpp"
#include "mpi/stop_watchdog.hpp"

namespace flipstorm
{

/**
 * The start of the process, made first in main.
 *
 * Opens the standard descriptors that are closed; makes a reader that is gone, and a limit of the file size,
 * an error of the write instead of a silent death; catches the signals that ask for a stop; and ends what
 * nobody catches with one line and exit code 70. Until over() it also watches: a stop that is asked for while
 * nothing is done yet ends the process with exit code 75, wherever it is (in MPI_Init, in the reading of a
 * job file).
 */
class ProcessStart
{
  public:
    ProcessStart();

    /// The work begins, and asks for stops by itself.
    void over() { watchdog_.reset(); }

    [[nodiscard]] const ScopedSignalHandler& signals() const { return signals_; }

  private:
    ScopedSignalHandler signals_;
    StopConditions stop_;
    std::optional<StopWatchdog> watchdog_;
};

/// The end of a process that returns `code`: if standard output could not be written, say so; a complete run
/// is not complete then.
[[nodiscard]] int finish_output(int code) noexcept;

}  // namespace flipstorm
