#pragma once
// What the commands do: the table of those that work on a job, and the way from the words of the command line
// to a stage that runs.

#include <string>
#include <vector>

#include "engine/base/error.hpp"
#include "jobs/resolve/context.hpp"
#include "jobs/stages/process_start.hpp"
#include "mpi/communicator.hpp"

namespace flipstorm
{

struct Arguments;

/// A command that works on a job.
struct JobCommand
{
    const char* name;
    const char* description;
    StageEnd (*run)(const Context&);
    bool each_variant = true;  ///< does without --variant on a job with variants
    bool compares = false;     ///< compares them afterwards
    bool writes_out = true;    ///< into the out folder, whose lock it needs
    bool plans = false;        ///< prints the plan and does nothing, as --dry-run does
};

/// All of them, in the order of the help.
[[nodiscard]] const std::vector<JobCommand>& job_commands();

/// Run the command of the command line. \param start  its watch ends when the work begins \return the exit
/// code \throws Error. \collective
ExitCode execute(const Arguments& arguments, const std::string& command_line, const Communicator& world,
                 ProcessStart& start);

}  // namespace flipstorm
