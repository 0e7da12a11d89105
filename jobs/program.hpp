#pragma once
// A program of flipstorm: what its commands are, and what computes networks in it. Its main() is
// finish_output(run_program(program, argc, argv)).

#include <vector>

#include "jobs/resolve/context.hpp"

namespace CLI
{
class App;
}

namespace flipstorm
{

class Processor;
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
    void (*add_options)(CLI::App&, Arguments&) = nullptr;  ///< that it has alone
    void (*add_line)(CLI::App&, Arguments&) = nullptr;     ///< instead of JOB.toml and its options
    Context (*planned)(const Context&) =
        nullptr;  ///< what --dry-run prints the plan of; null: the job itself
};

/// What a program is made of. `status` and `inspect` are in each.
struct Program
{
    const char* name;
    const char* description;
    std::vector<JobCommand> job_commands;              ///< in the order of the help
    const Processor* processor = nullptr;              ///< null: nothing computes networks
    StageEnd (*print_plan)(const Context&) = nullptr;  ///< for --dry-run; null: there is no such option
};

/// The commands that need nothing to compute networks: forest, harden, report.
[[nodiscard]] std::vector<JobCommand> analysis_commands();

/// Read the command line, run what it says, and turn errors into messages and exit codes. \return the latter
int run_program(const Program& program, int argc, char** argv);

}  // namespace flipstorm
