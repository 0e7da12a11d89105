#include "jobs/program.hpp"

#include <string_view>

#include "engine/base/error.hpp"
#include "engine/base/failure_text.hpp"
#include "engine/base/log.hpp"
#include "engine/base/printable_text.hpp"
#include "engine/base/program_name.hpp"
#include "engine/base/standard_output.hpp"
#include "jobs/command_line.hpp"
#include "jobs/commands.hpp"
#include "jobs/stages/process_start.hpp"
#include "mpi/agreed_error.hpp"
#include "mpi/lock_holder.hpp"
#include "mpi/session.hpp"

namespace flipstorm
{
namespace
{

/// Print an error. What only this rank knows of ends the others too.
ExitCode report(const MpiSession& session, const std::string& message, ExitCode code, bool agreed)
{
    const Communicator& world = session.world();
    if (!agreed || world.is_root())
    {
        flush_output();
        const std::string where =
            world.size() > 1 && !agreed ? fmt::format(" (rank {} on {})", world.rank(), host_name()) : "";
        print_error(fmt::format("{}{}: {}\n", program_name(), where, printable(message, TextLines::many)));
    }
    if (!agreed && world.size() > 1) session.abort(static_cast<int>(code));
    return code;
}

}  // namespace

int run_program(const Program& program, int argc, char** argv)
{
    set_program_name(program.name);
    ProcessStart start;
    std::string command_line = program.name;
    for (int i = 1; i < argc; ++i)
        command_line += fmt::format(" {}", argv[i]);
    CLI::App app{program.description};
    app.name(program.name);
    Arguments arguments;
    add_commands(app, program, arguments);
    const auto running = [&] { return fmt::format("running '{} {}'", program.name, arguments.command); };
    try
    {
        // Looking at a campaign takes no MPI, and must work inside of a batch job's environment, too.
        const bool alone = argc > 1 && std::string_view(argv[1]) == "status";
        const MpiSession session = alone ? MpiSession() : MpiSession(argc, argv);
        const bool root = session.world().is_root();
        try
        {
            check_command(app, argc, argv);
            app.parse(argc, argv);
            configure_logging(session.world().rank(), arguments.quiet);
            return static_cast<int>(execute(program, arguments, command_line, session.world(), start));
        }
        catch (const CLI::ParseError& error)
        {
            if (error.get_exit_code() == 0) return root ? print_help(app, error) : 0;
            return static_cast<int>(
                report(session, fmt::format("{}\nRun with --help for more information.", error.what()),
                       ExitCode::usage, true));
        }
        catch (const AgreedError& error)
        {
            return static_cast<int>(report(session, error.what(), error.exit_code(), true));
        }
        catch (const Error& error)
        {
            return static_cast<int>(report(session, error.what(), error.exit_code(), false));
        }
        catch (const std::filesystem::filesystem_error& error)
        {
            return static_cast<int>(report(session, error.what(), ExitCode::io, false));
        }
        catch (const std::bad_alloc&)
        {
            return static_cast<int>(report(session, memory_message(running()), ExitCode::internal, false));
        }
        catch (const std::exception& error)
        {
            const std::string message = plain_message(error.what());
            return static_cast<int>(report(session,
                                           tells_of_memory(message)
                                               ? fmt::format("{} ({})", memory_message(running()), message)
                                               : message,
                                           ExitCode::internal, false));
        }
    }
    catch (const Error& error)
    {
        print_error(fmt::format("{}: {}\n", program_name(), error.what()));
        return static_cast<int>(error.exit_code());
    }
}

}  // namespace flipstorm
