#pragma once
// When a campaign has to end early: a signal, a deadline, or a file that the user made. Each rank asks at
// chunk boundaries; the first that has a reason stops the queue for all.

#include <atomic>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <functional>
#include <iterator>
#include <mutex>
#include <optional>
#include <string>

#include "engine/base/timing.hpp"

namespace flipstorm
{

/// The signals that ask for a stop.
inline constexpr int kStopSignals[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGINT};

/**
 * Catch the signals of ScopedSignalHandler from now on, for good: what comes before there is one is not lost,
 * and does not kill. Async-signal-safe; may run before any constructor.
 */
void catch_signals_early() noexcept;

/**
 * Catches SIGUSR1, SIGUSR2, SIGTERM and SIGINT while it lives, and restores the old handlers afterwards.
 *
 * The handler only sets a flag. A second SIGINT kills at once. One at a time per process. A signal that
 * catch_signals_early() caught counts.
 */
class ScopedSignalHandler
{
  public:
    /// \throws Error if there is one already or the system refuses.
    ScopedSignalHandler();
    ScopedSignalHandler(const ScopedSignalHandler&) = delete;
    ScopedSignalHandler& operator=(const ScopedSignalHandler&) = delete;
    ~ScopedSignalHandler();

    /// Number of the first signal caught; 0: none.
    [[nodiscard]] int caught() const;

  private:
    struct sigaction old_[std::size(kStopSignals)] = {};
};

enum class StopKind
{
    signal,
    deadline,
    file,
};

struct StopReason
{
    StopKind kind;
    std::string text;  ///< "signal SIGUSR1", "deadline 2023-04-17T09:30:00Z reached", "file STOP found"
};

/// Name of the file in the out folder that stops a campaign.
inline constexpr const char* kStopFile = "STOP";

/// All reasons to stop of one rank. Thread-safe.
class StopConditions
{
  public:
    /**
     * The deadline is reached when either clock says so: `now`, which may be set, or `steady`, by which the
     * time left now runs out. So a clock that is set back does not prolong it.
     *
     * \param signals  must outlive this
     * \param out_folder  where the file STOP may be; empty: no file stops this
     * \param now      seconds since 1970-01-01 UTC
     * \param steady   seconds, never going back
     */
    StopConditions(const ScopedSignalHandler& signals, std::optional<std::time_t> deadline,
                   const std::filesystem::path& out_folder, std::function<std::time_t()> now = epoch_seconds,
                   std::function<double()> steady = steady_seconds);

    /// The first reason found, ever since; none: go on. Looks for the file at most once a second.
    [[nodiscard]] std::optional<StopReason> check();

    /// Is there a reason? For loops of many threads: an atomic and a clock, check() ten times a second at
    /// most.
    [[nodiscard]] bool asked();

    /// Take over another rank's reason, unless there is one.
    void tell(StopReason reason);

    /// Until the deadline, by the clock that reaches it first; negative once it is past, none without one.
    [[nodiscard]] std::optional<double> seconds_left() const;

  private:
    [[nodiscard]] std::optional<StopReason> look();
    [[nodiscard]] std::optional<double> left() const;

    const ScopedSignalHandler& signals_;
    std::optional<std::time_t> deadline_;
    std::filesystem::path stop_file_;
    std::function<std::time_t()> now_;
    std::function<double()> steady_;
    double steady_deadline_ = 0;
    std::optional<double> file_looked_for_;  ///< by the steady clock
    std::optional<StopReason> reason_;
    mutable std::mutex mutex_;
    std::atomic<bool> found_{false};
    std::atomic<double> next_look_;  ///< of asked(), by the steady clock
};

}  // namespace flipstorm
