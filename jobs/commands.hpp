#pragma once
// What the commands do: the way from the words of the command line to a stage that runs.

#include <string>

#include "engine/base/error.hpp"
#include "jobs/program.hpp"
#include "jobs/stages/process_start.hpp"
#include "mpi/communicator.hpp"

namespace flipstorm
{

/// Run the command of the command line. \param start  its watch ends when the work begins \return the exit
/// code \throws Error. \collective
ExitCode execute(const Program& program, const Arguments& arguments, const std::string& command_line,
                 const Communicator& world, ProcessStart& start);

}  // namespace flipstorm
