#include "jobs/resolve/stoppable.hpp"

#include <poll.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "engine/base/log.hpp"
#include "engine/base/temporary_file.hpp"
#include "mpi/agreed_error.hpp"
#include "mpi/lock_file.hpp"
#include "mpi/out_lock.hpp"
#include "mpi/session.hpp"
#include "mpi/stop_relay.hpp"
#include "mpi/stop_watchdog.hpp"

namespace flipstorm
{
namespace fs = std::filesystem;
namespace
{

/// Write to standard error past all buffers and locks, which another thread may hold; nothing if it would
/// block.
void say(const std::string& text) noexcept
{
    pollfd error_output{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&error_output, 1, 0) == 1 && (error_output.revents & POLLOUT) != 0)
        static_cast<void>(::write(STDERR_FILENO, text.data(), text.size()) < 0);
}

/// Half-written files of this process: those of the out folder, and of the other files it writes.
void remove_half_written(const Context& context, const std::vector<fs::path>& files) noexcept
{
    for (const fs::path& file : files)
        remove_own_temporaries(file.has_parent_path() ? file.parent_path() : fs::path("."));
    if (context.lock != nullptr && context.lock->held()) remove_own_temporaries(context.out());
}

/// What the watchdog does on rank 0.
void end_from_outside(const Context& context, const StopConsequence& consequence, const StopReason& reason)
{
    remove_half_written(context, consequence.files);
    if (context.lock != nullptr && context.lock->held()) release_lock(context.out(), context.lock->token());
    say(fmt::format("flipstorm: stopped by {}: {}\n", reason.text, consequence.text));
    end_all_ranks(context.world, static_cast<int>(ExitCode::stopped));
}

}  // namespace

StageEnd on_root_until_stopped(const Context& context, const StopConsequence& consequence,
                               const std::function<StageEnd(const StopRequest&)>& work)
{
    StopConditions* const stop = context.stop;
    StopRelay relay(context.world, stop);
    const StopRequest asked = [stop, &relay, caller = std::this_thread::get_id()] {
        if (stop == nullptr) return false;
        if (std::this_thread::get_id() == caller) relay.listen();
        return stop->asked();
    };
    const auto watched = [&] {
        std::optional<StopWatchdog> watchdog;
        if (stop != nullptr)
        {
            watchdog.emplace(*stop, kStopPatience, [&](const StopReason& reason) {
                end_from_outside(context, consequence, reason);
            });
        }
        try
        {
            stop_if_asked(asked);
            return work(asked);
        }
        catch (const Stopped&)
        {
            return StageEnd::stopped;
        }
    };
    const StageEnd end = on_root(context, watched, [&relay] { relay.wait(); });
    if (end == StageEnd::stopped && context.world.is_root())
    {
        const std::optional<StopReason> reason = stop != nullptr ? stop->check() : std::nullopt;
        log_warning("stopped by {}: {}", reason ? reason->text : "request", consequence.text);
    }
    return end;
}

std::unique_ptr<StopWatchdog> watch_start(const Context& context)
{
    if (context.stop == nullptr) return nullptr;
    // Rank 0 has the lock to give back, so it goes first.
    const double patience = context.world.is_root() ? 8 : 9;
    return std::make_unique<StopWatchdog>(*context.stop, patience, [&context](const StopReason& reason) {
        if (context.lock != nullptr && context.lock->held())
            release_lock(context.out(), context.lock->token());
        end_all_before_the_start(context, reason);
    });
}

std::unique_ptr<StopWatchdog> watch_work(const Context& context, const StopConsequence& consequence)
{
    if (context.stop == nullptr) return nullptr;
    // Rank 0 has files to remove and the lock to give back, so it goes first.
    const double patience = kStopPatience + (context.world.is_root() ? 0 : 1);
    return std::make_unique<StopWatchdog>(*context.stop, patience,
                                          [&context, consequence](const StopReason& reason) {
                                              end_from_outside(context, consequence, reason);
                                          });
}

void end_all_before_the_start(const Context& context, const StopReason& reason)
{
    say(fmt::format("flipstorm: stopped by {} before anything was changed\n", reason.text));
    end_all_ranks(context.world, static_cast<int>(ExitCode::stopped));
}

void end_before_the_start(const StopReason& reason)
{
    end_all_before_the_start(Context(), reason);
}

}  // namespace flipstorm
