#include "jobs/stages/process_start.hpp"

#include <mpi.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <string>

#include "engine/base/error.hpp"
#include "engine/base/failure_text.hpp"
#include "engine/base/standard_output.hpp"
#include "jobs/resolve/stoppable.hpp"

namespace flipstorm
{
namespace
{

constexpr double kStartPatience = 2;  // seconds

/// What std::terminate does: one line, exit code 70, and no rank stays behind.
[[noreturn]] void end_uncaught() noexcept
{
    // Memory may be what is missing: without a word of its own, nothing but a ready one.
    std::string message;
    try
    {
        if (const std::exception_ptr error = std::current_exception()) std::rethrow_exception(error);
        message = "std::terminate was called";
    }
    catch (const std::bad_alloc&)
    {
        print_error(
            "flipstorm: out of memory; raise the limit (ulimit -v), or lower campaign.memory_budget\n");
    }
    catch (const std::exception& error)
    {
        message = plain_message(error.what());
    }
    catch (...)
    {
        message = "an exception of unknown type";
    }
    if (!message.empty())
        print_error("flipstorm: " + message + " (nobody caught it: a defect of flipstorm)\n");
    int running = 0;
    int ended = 0;
    MPI_Initialized(&running);
    MPI_Finalized(&ended);
    if (running != 0 && ended == 0) MPI_Abort(MPI_COMM_WORLD, static_cast<int>(ExitCode::internal));
    ::_exit(static_cast<int>(ExitCode::internal));
}

}  // namespace

ProcessStart::ProcessStart() : stop_(signals_, std::nullopt, {})
{
    occupy_standard_descriptors();
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    std::set_terminate(end_uncaught);
    ::setenv("TORCH_SHOW_CPP_STACKTRACES", "0", 0);
    watchdog_.emplace(stop_, kStartPatience, end_before_the_start);
}

int finish_output(int code) noexcept
{
    try
    {
        const std::string problem = output_problem();
        if (problem.empty()) return code;
        print_error("flipstorm: " + problem + "\n");
    }
    catch (const std::exception&)
    {
        // There is no memory for words.
    }
    return code == static_cast<int>(ExitCode::complete) ? static_cast<int>(ExitCode::io) : code;
}

}  // namespace flipstorm
