#include "jobs/command_line.hpp"

#include <fmt/format.h>

#include <sstream>

#include "engine/base/program_name.hpp"
#include "engine/base/standard_output.hpp"
#include "engine/base/version.hpp"
#include "jobs/job_file/job_variants.hpp"
#include "mpi/agreed_error.hpp"

namespace flipstorm
{

CLI::Validator folder_check()
{
    const auto problem = [](const std::string& name) {
        const std::string text = out_folder_problem(name);
        return text.empty() ? text : fmt::format("'{}' {}", name, text);
    };
    return {problem, ""};
}

void add_override_option(CLI::App& command, Arguments& arguments)
{
    command
        .add_option("--set", arguments.overrides,
                    "override a key of the job file, e.g. campaign.limit=100; repeatable")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
}

void add_variant_option(CLI::App& command, Arguments& arguments)
{
    command.add_option("--variant", arguments.variant, "only this variant of the job, as a job of its own")
        ->type_name("NAME");
}

void add_forest_options(CLI::App& forest, Arguments& arguments)
{
    forest
        .add_option("--validate", arguments.validation_faults,
                    "inject N random faults that the campaign does not have, and judge the map by them: "
                    "OUT/validation/N/campaign.h5, /validation in OUT/forest.h5")
        ->type_name("N")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000'000'000}));
    forest
        .add_option(
            "--export", arguments.export_to,
            "write the forest of the map to this file, too, as an ONNX model (TreeEnsembleClassifier); "
            "needs Python with h5py and onnx")
        ->type_name("FILE.onnx");
}

void add_harden_options(CLI::App& harden, Arguments& arguments)
{
    harden
        .add_option(
            "--export", arguments.export_to,
            "write the protected memory into this folder, too: protected_memory.bin, its bytes as they lie "
            "in memory, and protected_memory.hpp and .cpp, which decode them without a library")
        ->type_name("DIR");
}

namespace
{

void add_status(CLI::App& app, Arguments& arguments)
{
    CLI::App* status = app.add_subcommand(
        "status", "show how the campaign of an out folder is doing, while it runs or afterwards");
    status->add_option("OUT", arguments.out, "out folder of the job")->required()->check(folder_check());
    status->add_flag("--json", arguments.status_json, "print one JSON object");
    status->add_flag("--strata", arguments.status.all_strata,
                     "a line per stratum, also if there are more than 40");
    status
        ->add_option("--tolerance", arguments.status.tolerance,
                     "tolerated drop of the table, one of campaign.tolerances; else the smallest")
        ->type_name("T");
    status->footer(
        "Reads the files of the folder alone, from any machine that sees it, and writes nothing. Estimates "
        "are\n"
        "those of the faults that are saved: what the ranks have computed since their last segment is "
        "missing.");
    status->callback([&arguments] { arguments.command = "status"; });
}

/// JOB.toml and the options that go with it. \param plans  whether the program can print a plan
void add_job_line(CLI::App& sub, Arguments& arguments, bool plans)
{
    sub.add_option("JOB.toml", arguments.file, "job file; jobs/examples has some")->required();
    add_override_option(sub, arguments);
    add_variant_option(sub, arguments);
    sub.add_option("--out", arguments.out, "out folder, instead of job.out")
        ->type_name("DIR")
        ->check(folder_check());
    sub.add_option("--deadline", arguments.deadline,
                   "stop with progress saved at this time, in seconds since 1970")
        ->type_name("EPOCH");
    sub.add_flag("--fresh", arguments.fresh, "discard what an earlier run of these stages left");
    if (plans) sub.add_flag("--dry-run", arguments.dry_run, "print the plan and do nothing");
    sub.add_flag("--print-config", arguments.print_config,
                 "print the job with every default, and do nothing");
    sub.add_flag("--quiet", arguments.quiet, "only warnings and results");
}

void add_job_command(CLI::App& app, const Program& program, const JobCommand& command, Arguments& arguments)
{
    CLI::App* sub = app.add_subcommand(command.name, command.description);
    if (command.add_line != nullptr)
        command.add_line(*sub, arguments);
    else
        add_job_line(*sub, arguments, program.print_plan != nullptr);
    if (command.add_options != nullptr) command.add_options(*sub, arguments);
    sub->callback([&arguments, name = command.name] { arguments.command = name; });
}

void add_inspect(CLI::App& app, Arguments& arguments)
{
    CLI::App* inspect = app.add_subcommand("inspect", "list what is in a file of flipstorm");
    inspect->add_option("FILE.h5", arguments.file, "file to list")->required();
    inspect->add_flag(
        "--seal", arguments.seal,
        "read a file that was changed on purpose, or is of an older version, and seal it as it is");
    inspect
        ->add_option(
            "--faults", arguments.fault_list,
            "write the faults of a campaign in weights to this file, as campaign.fault_list takes them: "
            "the same faults then strike another network, or another tool's")
        ->type_name("FILE.csv");
    inspect->footer(
        "Files begin with a seal, a digest of all their bytes, and a file whose seal is not right is read by "
        "no\n"
        "command: it is damaged, or was changed by another program. Then --seal makes the seal anew, if the\n"
        "file can be read and holds what can be.");
    inspect->callback([&arguments] { arguments.command = "inspect"; });
}

}  // namespace

void add_commands(CLI::App& app, const Program& program, Arguments& arguments)
{
    app.require_subcommand(1);
    app.set_version_flag("--version",
                         fmt::format("{} {} ({})", program.name, software_version(), git_sha1()));
    app.footer(
        "The same command starts or continues a job. Under mpirun or srun all ranks share the work.\n"
        "Exit codes: 0 complete, 75 stopped with progress saved (run again), 64 command line or job file,\n"
        "65 input data, 74 input/output or corrupt file, 70 internal error.");
    for (const JobCommand& command : program.job_commands)
        add_job_command(app, program, command, arguments);
    add_status(app, arguments);
    add_inspect(app, arguments);
}

void check_command(const CLI::App& app, int argc, char** argv)
{
    if (argc < 2 || argv[1][0] == '-') return;
    std::string known;
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    {
        if (sub->get_name() == argv[1]) return;
        known += (known.empty() ? "" : ", ") + sub->get_name();
    }
    throw AgreedError(fmt::format("{} has no command '{}'; it has: {}", program_name(), argv[1], known),
                      ExitCode::usage);
}

int print_help(const CLI::App& app, const CLI::ParseError& error)
{
    std::ostringstream text;
    const int code = app.exit(error, text, text);
    print_result("{}", text.str());
    return code;
}

}  // namespace flipstorm
