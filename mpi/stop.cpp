#include "mpi/stop.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

std::atomic<int> caught_signal{0};
std::atomic<bool> handler_installed{false};
std::atomic<bool> caught_early{false};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler needs lock-free atomics");

extern "C" void remember_signal(int number)
{
    int none = 0;
    caught_signal.compare_exchange_strong(none, number);
}

struct sigaction catching(int number)
{
    struct sigaction action = {};
    action.sa_handler = remember_signal;
    action.sa_flags = SA_RESTART;
    if (number == SIGINT) action.sa_flags |= static_cast<int>(SA_RESETHAND);
    sigemptyset(&action.sa_mask);
    return action;
}

const char* signal_name(int number)
{
    switch (number)
    {
        case SIGUSR1:
            return "SIGUSR1";
        case SIGUSR2:
            return "SIGUSR2";
        case SIGTERM:
            return "SIGTERM";
        case SIGINT:
            return "SIGINT";
        default:
            return "unknown";
    }
}

}  // namespace

void catch_signals_early() noexcept
{
    caught_early = true;
    for (const int number : kStopSignals)
    {
        const struct sigaction action = catching(number);
        sigaction(number, &action, nullptr);
    }
}

ScopedSignalHandler::ScopedSignalHandler()
{
    FS_REQUIRE(!handler_installed.exchange(true), "there is a signal handler already");
    if (!caught_early) caught_signal = 0;
    for (std::size_t i = 0; i < std::size(kStopSignals); ++i)
    {
        const struct sigaction action = catching(kStopSignals[i]);
        // A SIGINT that came early has used up its handler: the next one is to kill.
        if (kStopSignals[i] == SIGINT && caught_signal == SIGINT)
        {
            sigaction(SIGINT, nullptr, &old_[i]);
            continue;
        }
        FS_REQUIRE(sigaction(kStopSignals[i], &action, &old_[i]) == 0, "cannot handle {}: {}",
                   signal_name(kStopSignals[i]), std::strerror(errno));
    }
}

ScopedSignalHandler::~ScopedSignalHandler()
{
    for (std::size_t i = 0; i < std::size(kStopSignals); ++i)
        sigaction(kStopSignals[i], &old_[i], nullptr);
    handler_installed = false;
}

int ScopedSignalHandler::caught() const
{
    return caught_signal;
}

StopConditions::StopConditions(const ScopedSignalHandler& signals, std::optional<std::time_t> deadline,
                               const std::filesystem::path& out_folder, std::function<std::time_t()> now,
                               std::function<double()> steady)
    : signals_(signals),
      deadline_(deadline),
      stop_file_(out_folder.empty() ? out_folder : out_folder / kStopFile),
      now_(std::move(now)),
      steady_(std::move(steady))
{
    if (deadline_) steady_deadline_ = steady_() + std::difftime(*deadline_, now_());
    next_look_ = steady_();
}

std::optional<double> StopConditions::seconds_left() const
{
    const std::lock_guard<std::mutex> lock(mutex_);
    return left();
}

std::optional<double> StopConditions::left() const
{
    if (!deadline_) return std::nullopt;
    return std::min(std::difftime(*deadline_, now_()), steady_deadline_ - steady_());
}

std::optional<StopReason> StopConditions::check()
{
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!reason_) reason_ = look();
    if (reason_) found_ = true;
    return reason_;
}

bool StopConditions::asked()
{
    constexpr double kPause = 0.1;  // seconds
    if (found_) return true;
    if (signals_.caught() == 0)
    {
        const double now = steady_();
        if (now < next_look_) return false;
        next_look_ = now + kPause;
    }
    return check().has_value();
}

void StopConditions::tell(StopReason reason)
{
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!reason_) reason_ = std::move(reason);
    found_ = true;
}

std::optional<StopReason> StopConditions::look()
{
    if (const int number = signals_.caught(); number != 0)
    {
        return StopReason{StopKind::signal, fmt::format("signal {}", signal_name(number))};
    }
    if (const auto seconds = left(); seconds && *seconds <= 0)
    {
        return StopReason{StopKind::deadline, fmt::format("deadline {} reached", utc_timestamp(*deadline_))};
    }
    const double steady = steady_();
    if (!stop_file_.empty() && (!file_looked_for_ || steady >= *file_looked_for_ + 1))
    {
        file_looked_for_ = steady;
        std::error_code error;
        if (std::filesystem::exists(stop_file_, error))
        {
            return StopReason{StopKind::file, fmt::format("file {} found", kStopFile)};
        }
    }
    return std::nullopt;
}

}  // namespace flipstorm
