#pragma once
// Work that ends when the user asks for it, wherever it is. The campaign and the training stop by themselves,
// at their chunks and steps, forests between the nodes of a tree; all else runs in here.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/stop_request.hpp"
#include "jobs/resolve/context.hpp"
#include "mpi/stop_watchdog.hpp"

namespace flipstorm
{

/// What a stop of some work means for the user.
struct StopConsequence
{
    /// The end of the message, behind "stopped by signal SIGTERM: ".
    std::string text = "run the same command to go on";
    /// Files that the work writes beside those of the out folder: their half-written copies are removed.
    std::vector<std::filesystem::path> files;
};

/**
 * Do something on rank 0 while the other ranks wait, as on_root() does, and end it when any rank is asked to
 * stop.
 *
 * `work` asks the request it is given between two pieces and ends with Stopped. If it has not some seconds
 * after a stop was asked for (kStopPatience), the process is ended from outside with exit code 75:
 * half-written files and the lock of the out folder are removed first. So nothing may be lost by that but
 * what `work` did since it last saved.
 *
 * \return stopped, with a log line that names the reason, if it was. Without stop conditions in the context
 * it is on_root(). \collective
 */
StageEnd on_root_until_stopped(const Context& context, const StopConsequence& consequence,
                               const std::function<StageEnd(const StopRequest&)>& work);

/**
 * Watch the start of a stage that stops by itself later on, once it has something to save: of its loading and
 * its golden pass nothing can be lost. Every rank may have one. Null without stop conditions.
 */
[[nodiscard]] std::unique_ptr<StopWatchdog> watch_start(const Context& context);

/**
 * Watch work that all ranks do and that asks whether to stop: if a rank has not ended it some seconds after a
 * stop was asked for, all are ended from outside, as on_root_until_stopped() does. Every rank has one. Null
 * without stop conditions.
 */
[[nodiscard]] std::unique_ptr<StopWatchdog> watch_work(const Context& context,
                                                       const StopConsequence& consequence);

/// end_before_the_start() for all ranks; called on rank 0 while it is alone at work.
void end_all_before_the_start(const Context& context, const StopReason& reason);

/// What a watchdog does while nothing is done yet that could be lost: say why, and end this process with exit
/// code 75.
void end_before_the_start(const StopReason& reason);

}  // namespace flipstorm
