#include "mpi/stop_watchdog.hpp"

#include <chrono>
#include <optional>
#include <utility>

namespace flipstorm
{

StopWatchdog::StopWatchdog(StopConditions& stop, double patience, std::function<void(const StopReason&)> end)
    : stop_(stop), patience_(patience), end_process_(std::move(end)), thread_([this] { watch(); })
{}

StopWatchdog::~StopWatchdog()
{
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        done_ = true;
    }
    over_.notify_all();
    thread_.join();
}

void StopWatchdog::watch()
{
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds kPause{100};
    std::optional<Clock::time_point> asked;
    std::unique_lock<std::mutex> lock(mutex_);
    while (!over_.wait_for(lock, kPause, [this] { return done_; }))
    {
        const std::optional<StopReason> reason = stop_.check();
        if (!reason) continue;
        if (!asked) asked = Clock::now();
        if (std::chrono::duration<double>(Clock::now() - *asked).count() < patience_) continue;
        end_process_(*reason);
        return;
    }
}

}  // namespace flipstorm
