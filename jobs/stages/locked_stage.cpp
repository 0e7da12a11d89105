#include "jobs/stages/locked_stage.hpp"

#include <exception>
#include <memory>
#include <optional>

#include "engine/base/timing.hpp"
#include "jobs/resolve/stoppable.hpp"
#include "jobs/stages/last_error.hpp"
#include "mpi/agreed_error.hpp"
#include "mpi/lock_file.hpp"
#include "mpi/out_lock.hpp"
#include "mpi/stop_watchdog.hpp"

namespace flipstorm
{
namespace
{

LastError describe(const std::exception& error, const Context& context, const std::string& token)
{
    LastError last;
    last.time = utc_timestamp(epoch_seconds());
    last.start = token;
    last.rank = context.world.rank();
    last.ranks = context.world.size();
    last.host = host_name();
    last.command = context.command_line;
    last.message = error.what();
    last.echo = dynamic_cast<const MpiError*>(&error) != nullptr;
    return last;
}

}  // namespace

StageEnd run_locked(Context context, const std::function<StageEnd(const Context&)>& stage)
{
    const bool root = context.world.is_root();
    std::unique_ptr<OutLock> lock;
    std::string token;  // of the lock, if there is one
    on_root(context, [&] {
        // A silent holder is watched for a minute.
        std::optional<StopWatchdog> watchdog;
        if (context.stop != nullptr)
        {
            watchdog.emplace(*context.stop, kStopPatience, [&context](const StopReason& reason) {
                end_all_before_the_start(context, reason);
            });
        }
        lock = std::make_unique<OutLock>(context.out(), this_process(context.command_line));
        if (lock->held()) token = lock->token();
        return StageEnd::complete;
    });
    context.world.broadcast(token);
    context.lock = lock.get();
    try
    {
        const StageEnd end = stage(context);
        if (root) forget_last_error(context.out());
        return end;
    }
    catch (const std::exception& error)
    {
        const bool agreed = dynamic_cast<const AgreedError*>(&error) != nullptr;
        if (root || !agreed) leave_last_error(context.out(), describe(error, context, token));
        if (!agreed && !token.empty()) release_lock(context.out(), token);
        throw;
    }
}

}  // namespace flipstorm
