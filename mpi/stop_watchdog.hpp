#pragma once
// The last resort for work that was asked to stop and does not: some calls (of LibTorch, of HDF5, of the
// system) cannot be interrupted.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "mpi/stop.hpp"

namespace flipstorm
{

/// Seconds that work has, from when it is asked to stop to where it can.
inline constexpr double kStopPatience = 5;

/**
 * Watches while it lives. Once there is a reason to stop and so many seconds have passed, it calls `end`,
 * once, from a thread of its own.
 */
class StopWatchdog
{
  public:
    /// \param end  ends the process; while it runs the watched thread may be anywhere and hold any lock
    StopWatchdog(StopConditions& stop, double patience, std::function<void(const StopReason&)> end);
    StopWatchdog(const StopWatchdog&) = delete;
    StopWatchdog& operator=(const StopWatchdog&) = delete;

    /// Ends the watch: `end` is not called any more.
    ~StopWatchdog();

  private:
    void watch();

    StopConditions& stop_;
    double patience_;
    std::function<void(const StopReason&)> end_process_;
    std::mutex mutex_;
    std::condition_variable over_;
    bool done_ = false;
    std::thread thread_;
};

}  // namespace flipstorm
