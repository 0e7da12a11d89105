#include "jobs/command_line.hpp"

#include <fmt/format.h>

#include <sstream>
#include <string_view>

#include "engine/base/standard_output.hpp"
#include "engine/base/version.hpp"
#include "jobs/commands.hpp"
#include "jobs/job_file/job_variants.hpp"
#include "mpi/agreed_error.hpp"

namespace flipstorm
{
namespace
{

/// Refuses what cannot be meant as a folder or file to write (out_folder_problem).
CLI::Validator folder_check()
{
    const auto problem = [](const std::string& name) {
        const std::string text = out_folder_problem(name);
        return text.empty() ? text : fmt::format("'{}' {}", name, text);
    };
    return {problem, ""};
}

void add_bench_options(CLI::App& bench, Arguments& arguments)
{
    BenchOptions& options = arguments.bench;
    bench.add_option("--faults", options.faults, "at most so many faults per layer and mode")
        ->type_name("N")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40U))
        ->capture_default_str();
    bench.add_option("--seconds", options.seconds, "about so long per mode")
        ->type_name("S")
        ->check(CLI::Range(0.01, 1e6))
        ->capture_default_str();
    bench.add_option("--modes", options.modes, "modes to time, separated by commas")
        ->type_name("MODE,...")
        ->delimiter(',')
        ->check(CLI::IsMember({"reference", "exact", "screened", "training"}))
        ->default_str("reference,exact,screened");
    bench.add_option("--backend", arguments.backend, "auto, native or libtorch, instead of campaign.backend")
        ->type_name("NAME")
        ->check(CLI::IsMember({"auto", "native", "libtorch"}));
    bench.add_option("--json", options.json, "write all numbers to this file, too")->type_name("FILE");
    bench.footer(
        "How fast is a campaign of this job here, and can its outcomes be trusted? bench takes a\n"
        "random sample of the job's faults, the same number in every layer, and evaluates it in three ways:\n"
        "  reference  the whole network for every fault: slow, and beyond doubt\n"
        "  exact      only what a fault changes; outcomes as reference, but for rounding\n"
        "  screened   only what it changes by more than a first-order estimate allows for\n"
        "Slow modes take fewer faults, always some of those that the fast ones take; outcomes are compared\n"
        "on the faults in common. Transient faults are evaluated in the first two ways. --modes training,\n"
        "alone, times training steps with and without the faults of train.fault_aware instead. The model\n"
        "must be there: flipstorm train JOB.toml makes it. Nothing in the out folder is changed. One rank\n"
        "only: start it without mpirun.");
}

void add_plan_options(CLI::App& plan, Arguments& arguments)
{
    plan.add_flag("--strata", arguments.all_strata, "print each stratum, however many there are");
    plan.add_option("--ranks", arguments.cost.ranks,
                    "predict the time on so many ranks like this one; 960,64x20 stands for 64 more that are "
                    "20 times as fast")
        ->type_name("N[xSPEED],...");
    plan.add_option("--calibrate", arguments.cost.calibrate,
                    "measure the cost of some faults for about so long; 0: estimate it from their arithmetic")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.0, 1e6))
        ->capture_default_str();
}

/// Options that one command has alone.
struct OwnOptions
{
    std::string_view command;
    void (*add)(CLI::App&, Arguments&);
};

constexpr OwnOptions kOwnOptions[] = {{"bench", add_bench_options}, {"plan", add_plan_options}};

void add_override_option(CLI::App& command, Arguments& arguments)
{
    command
        .add_option("--set", arguments.overrides,
                    "override a key of the job file, e.g. campaign.limit=100; repeatable")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
}

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

void add_variant_option(CLI::App& command, Arguments& arguments)
{
    command.add_option("--variant", arguments.variant, "only this variant of the job, as a job of its own")
        ->type_name("NAME");
}

void add_job_command(CLI::App& app, const JobCommand& command, Arguments& arguments)
{
    CLI::App* sub = app.add_subcommand(command.name, command.description);
    sub->add_option("JOB.toml", arguments.file, "job file; jobs/examples has some")->required();
    add_override_option(*sub, arguments);
    add_variant_option(*sub, arguments);
    sub->add_option("--out", arguments.out, "out folder, instead of job.out")
        ->type_name("DIR")
        ->check(folder_check());
    sub->add_option("--deadline", arguments.deadline,
                    "stop with progress saved at this time, in seconds since 1970")
        ->type_name("EPOCH");
    sub->add_flag("--fresh", arguments.fresh, "discard what an earlier run of these stages left");
    sub->add_flag("--dry-run", arguments.dry_run, "print the plan and do nothing");
    sub->add_flag("--print-config", arguments.print_config,
                  "print the job with every default, and do nothing");
    sub->add_flag("--quiet", arguments.quiet, "only warnings and results");
    sub->callback([&arguments, name = command.name] { arguments.command = name; });
    for (const OwnOptions& own : kOwnOptions)
    {
        if (own.command == command.name) own.add(*sub, arguments);
    }
}

void add_import(CLI::App& app, Arguments& arguments)
{
    CLI::App* importer = app.add_subcommand("import", "make a model file of a PyTorch network (TorchScript)");
    importer->add_option("MODEL.pt", arguments.model, "TorchScript file")->required();
    importer
        ->add_option(
            "JOB.toml", arguments.file,
            "job file; its [data] names the data set and the mean and std the network was trained with")
        ->required();
    importer->add_option("--to", arguments.to, "file to write")
        ->type_name("MODEL.h5")
        ->required()
        ->check(folder_check());
    add_override_option(*importer, arguments);
    add_variant_option(*importer, arguments);
    importer->add_flag("--fresh", arguments.fresh, "overwrite a file that was made from another import");
    importer->add_flag("--quiet", arguments.quiet, "only warnings");
    importer->footer(
        "In Python, save the trained network as TorchScript, by script or by trace:\n"
        "    torch.jit.script(model.eval()).save(\"MODEL.pt\")\n"
        "    torch.jit.trace(model.eval(), torch.zeros(2, 3, 32, 32)).save(\"MODEL.pt\")\n"
        "It must take one batch of images [N, C, H, W] and return logits [N, classes], and be made of 2-D\n"
        "convolutions, linear layers, batch norm, ReLU, ReLU6, sigmoid, SiLU, max and average pools, add,\n"
        "multiply, zero padding, slices, concatenation of channels, flatten, and dropout. Nothing is "
        "folded;\n"
        "parameters keep their state-dict names. Its logits are compared with TorchScript's before the file\n"
        "is written. Then:\n"
        "    flipstorm inject JOB.toml --set model.file=MODEL.h5");
    importer->callback([&arguments] { arguments.command = "import"; });
}

void add_inspect(CLI::App& app, Arguments& arguments)
{
    CLI::App* inspect = app.add_subcommand("inspect", "list what is in a file of flipstorm");
    inspect->add_option("FILE.h5", arguments.file, "file to list")->required();
    inspect->add_flag(
        "--seal", arguments.seal,
        "read a file that was changed on purpose, or is of an older version, and seal it as it is");
    inspect->footer(
        "Files begin with a seal, a digest of all their bytes, and a file whose seal is not right is read by "
        "no\n"
        "command: it is damaged, or was changed by another program. Then --seal makes the seal anew, if the\n"
        "file can be read and holds what can be.");
    inspect->callback([&arguments] { arguments.command = "inspect"; });
}

}  // namespace

void add_commands(CLI::App& app, Arguments& arguments)
{
    app.require_subcommand(1);
    app.set_version_flag("--version", fmt::format("flipstorm {} ({})", software_version(), git_sha1()));
    app.footer(
        "The same command starts or continues a job. Under mpirun or srun all ranks share the work.\n"
        "Exit codes: 0 complete, 75 stopped with progress saved (run again), 64 command line or job file,\n"
        "65 input data, 74 input/output or corrupt file, 70 internal error.");
    for (const JobCommand& command : job_commands())
        add_job_command(app, command, arguments);
    add_import(app, arguments);
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
    throw AgreedError(fmt::format("there is no command '{}'; there are: {}", argv[1], known),
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
