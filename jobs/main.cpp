// The flipstorm program: reads the command line, runs stages, and turns errors into messages and exit codes.

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <functional>
#include <string_view>

#include "engine/base/error.hpp"
#include "engine/base/failure_text.hpp"
#include "engine/base/library_memory.hpp"
#include "engine/base/log.hpp"
#include "engine/base/printable_text.hpp"
#include "engine/base/standard_output.hpp"
#include "engine/base/timing.hpp"
#include "engine/base/version.hpp"
#include "engine/network/libtorch_log.hpp"
#include "jobs/command_line.hpp"
#include "jobs/job_file/job_file.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/job_file/job_variants.hpp"
#include "jobs/resolve/context.hpp"
#include "jobs/stages/inspect.hpp"
#include "jobs/stages/locked_stage.hpp"
#include "jobs/stages/process_start.hpp"
#include "jobs/stages/stages.hpp"
#include "jobs/stages/stoppable.hpp"
#include "jobs/stages/variants.hpp"
#include "jobs/status/status_print.hpp"
#include "mpi/agreed_error.hpp"
#include "mpi/lock_holder.hpp"
#include "mpi/placement.hpp"
#include "mpi/queue_simulation.hpp"
#include "mpi/session.hpp"

namespace flipstorm
{
namespace
{

/// What the command line says.
struct Arguments
{
    std::string command;
    std::string file;   ///< job file, or the file to inspect
    std::string model;  ///< TorchScript file to import
    std::string to;     ///< model file to write
    std::vector<std::string> overrides;
    std::string out;
    std::string variant;  ///< the only one to run; empty: all
    std::optional<std::int64_t> deadline;
    bool fresh = false;
    bool dry_run = false;
    bool print_config = false;
    bool quiet = false;
    bool all_strata = false;
    BenchOptions bench;
    CostOptions cost;
    std::string backend;  ///< of bench; empty: the job's
    StatusView status;
    bool status_json = false;
    bool seal = false;  ///< of inspect
};

/// A command that works on a job.
struct JobCommand
{
    const char* name;
    const char* description;
    StageEnd (*run)(const Context&);
    bool each_variant = true;  ///< does without --variant on a job with variants
    bool compares = false;     ///< compares them afterwards
};

StageEnd print_plan(const Context& context)
{
    return on_root_until_stopped(context, {"a plan keeps nothing", {}}, [&](const StopRequest& stop) {
        print_result("{}", printable(describe_plan(context, stop), TextLines::many));
        return StageEnd::complete;
    });
}

constexpr JobCommand kCommands[] = {
    {"run", "train (if there is no model yet), inject, forest, harden, report", run_all, true, true},
    {"train", "train the network: OUT/model.h5", run_train},
    {"plan", "print strata, sample sizes, cost, and the time on any number of ranks", print_plan},
    {"inject", "inject the sampled faults: OUT/campaign.h5", run_inject},
    {"forest", "predict the criticality of every bit: OUT/forest.h5", run_forest},
    {"harden", "size selective protection: OUT/protection.h5", run_harden},
    {"report", "print the tables, draw the figures: OUT/report.html", run_report, true, true},
    {"bench", "time the evaluation modes on the job's own faults, and compare their outcomes", run_bench,
     false},
};

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

void add_commands(CLI::App& app, Arguments& arguments)
{
    app.require_subcommand(1);
    app.set_version_flag("--version", fmt::format("flipstorm {} ({})", software_version(), git_sha1()));
    app.footer(
        "The same command starts or continues a job. Under mpirun or srun all ranks share the work.\n"
        "Exit codes: 0 complete, 75 stopped with progress saved (run again), 64 command line or job file,\n"
        "65 input data, 74 input/output or corrupt file, 70 internal error.");
    for (const JobCommand& command : kCommands)
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
        if (std::string(command.name) == "bench") add_bench_options(*sub, arguments);
        if (std::string(command.name) == "plan")
        {
            sub->add_flag("--strata", arguments.all_strata, "print each stratum, however many there are");
            add_plan_options(*sub, arguments);
        }
    }
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
        "convolutions, linear layers, batch norm, ReLU, ReLU6, max and average pools, add, zero padding,\n"
        "slices, concatenation of channels, flatten, and dropout. Nothing is folded; parameters keep their\n"
        "state-dict names. Its logits are compared with TorchScript's before the file is written. Then:\n"
        "    flipstorm inject JOB.toml --set model.file=MODEL.h5");
    importer->callback([&arguments] { arguments.command = "import"; });
    add_status(app, arguments);
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
}  // namespace

/// \throws AgreedError for a command that there is not; CLI11 would only say that one is missing.
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

Device pick_device(const Job& job, const NodePlace& place)
{
    if (job.device.kind == "cpu") return {};
    const int visible = visible_cuda_devices();
    FS_CHECK(JobError, job.device.kind != "cuda" || visible > 0,
             "device.kind is \"cuda\", but no GPU is usable here: none is visible, or LibTorch was built "
             "without CUDA");
    const auto ranks_per_gpu = static_cast<int>(job.device.ranks_per_gpu);
    const int index = choose_device(place.local_rank, visible, ranks_per_gpu);
    FS_CHECK(JobError, job.device.kind != "cuda" || index >= 0,
             "device.kind is \"cuda\", but there are {} ranks on this node for {} GPU(s) with "
             "device.ranks_per_gpu "
             "= {}; start fewer ranks, or use \"auto\" to let the others use the CPU",
             place.local_size, visible, ranks_per_gpu);
    return index < 0 ? Device{} : Device{true, index};
}

/// Does the command write into the out folder?
bool writes_out(const std::string& command)
{
    return command != "plan" && command != "bench" && command != "import";
}

/// Read the job file, and make the variant of --variant the job.
JobFile read_jobs(const Arguments& arguments)
{
    std::vector<std::string> overrides = arguments.overrides;
    if (!arguments.backend.empty()) overrides.push_back("campaign.backend=" + arguments.backend);
    JobFile file = read_job_file(arguments.file, overrides);
    if (!arguments.out.empty()) file.set_out(arguments.out);
    if (!arguments.variant.empty()) file = {find_variant(file, arguments.variant).job, {}};
    return file;
}

ExitCode exit_code_of(StageEnd end)
{
    return end == StageEnd::stopped ? ExitCode::stopped : ExitCode::complete;
}

/// Print the plan of a job, or of each variant.
StageEnd print_plans(const Context& context, const std::vector<VariantContext>& variants)
{
    if (variants.empty()) return print_plan(context);
    for (const VariantContext& variant : variants)
    {
        if (context.world.is_root())
            print_result("Variant {}, in {}\n\n", variant.name, variant.context.out().string());
        if (print_plan(variant.context) == StageEnd::stopped) return StageEnd::stopped;
        if (context.world.is_root()) print_result("\n");
    }
    return StageEnd::complete;
}

/// Runs the command of the command line. \param start  its watch ends when the work begins \return the exit
/// code
ExitCode execute(const Arguments& arguments, const std::string& command_line, const Communicator& world,
                 ProcessStart& start)
{
    if (arguments.command == "inspect")
    {
        if (world.is_root()) run_inspect(arguments.file, arguments.seal);
        return ExitCode::complete;
    }
    if (arguments.command == "status")
    {
        const CampaignStatus status = look_at_campaign(arguments.out, epoch_seconds());
        const auto text = arguments.status_json ? status_json : status_text;
        print_result("{}", text(status, arguments.out, arguments.status));
        return ExitCode::complete;
    }
    JobCommand command{"import", "", nullptr, false};
    std::function<StageEnd(const Context&)> stage = [&arguments](const Context& context) {
        return run_import(context, arguments.model, arguments.to);
    };
    for (const JobCommand& candidate : kCommands)
    {
        if (arguments.command != candidate.name) continue;
        command = candidate;
        stage = command.run;
    }

    Context context;
    context.command_line = command_line;
    context.world = world;
    context.fresh = arguments.fresh;
    context.quiet = arguments.quiet;
    context.all_strata = arguments.all_strata;
    context.deadline = arguments.deadline;
    context.bench = arguments.bench;
    context.cost = arguments.cost;
    JobFile file;
    on_all(world, [&] {
        file = read_jobs(arguments);
        FS_CHECK(JobError, file.variants.empty() || command.each_variant || arguments.print_config,
                 "the job has {} variants; name the one to {} with --variant", file.variants.size(),
                 command.name);
    });
    context.job = file.job;
    if (arguments.print_config)
    {
        if (world.is_root()) print_result("{}", print_job_file(file));
        return ExitCode::complete;
    }
    StopConditions stop(start.signals(), context.deadline, context.out());
    context.stop = &stop;
    start.over();
    const bool planning = arguments.dry_run || arguments.command == "plan";
    if (!context.cost.ranks.empty())
        on_all(world, [&] { static_cast<void>(parse_ranks(context.cost.ranks)); });
    const Communicator node = world.split_by_node();
    const std::vector<CpuSet> cpus = gather_allowed_cpus(node);
    const auto placed = [&](const Job& job) {
        Context result = context;
        result.job = job;
        result.cost.possible = job.device.kind != "cuda" || visible_cuda_devices() > 0;
        on_all(world, [&] {
            if (!planning || result.cost.possible)
                result.device = pick_device(job, {node.rank(), node.size()});
            result.threads =
                threads_per_rank(cpus, node.rank(), parse_omp_num_threads(std::getenv("OMP_NUM_THREADS")),
                                 static_cast<int>(job.device.threads));
            if (reserve_library_memory(result.threads)) set_compute_threads(result.threads);
        });
        log_libtorch_warnings(result.threads);
        return result;
    };
    std::vector<VariantContext> variants;
    if (planning)
    {
        for (const JobVariant& variant : file.variants)
            variants.push_back({variant.name, placed(variant.job)});
        return exit_code_of(print_plans(placed(file.job), variants));
    }
    // Each job has its own out folder, and so its own lock.
    const bool locked = writes_out(arguments.command);
    const auto run = [&](const Context& job) { return locked ? run_locked(job, stage) : stage(job); };
    for (const JobVariant& variant : file.variants)
        variants.push_back({variant.name, placed(variant.job)});
    StageEnd end = variants.empty() ? run(placed(file.job)) : run_variants(variants, run);
    if (end == StageEnd::complete && !variants.empty() && command.compares)
    {
        end = run_locked(placed(file.job),
                         [&](const Context& whole) { return run_comparison(whole, file, variants); });
    }
    return exit_code_of(end);
}

/// Print an error. What only this rank knows of ends the others too.
ExitCode report(const MpiSession& session, const std::string& message, ExitCode code, bool agreed)
{
    const Communicator& world = session.world();
    if (!agreed || world.is_root())
    {
        flush_output();
        const std::string where =
            world.size() > 1 && !agreed ? fmt::format(" (rank {} on {})", world.rank(), host_name()) : "";
        print_error(fmt::format("flipstorm{}: {}\n", where, printable(message, TextLines::many)));
    }
    if (!agreed && world.size() > 1) session.abort(static_cast<int>(code));
    return code;
}

}  // namespace

int run_program(int argc, char** argv)
{
    ProcessStart start;
    std::string command_line = "flipstorm";
    for (int i = 1; i < argc; ++i)
        command_line += fmt::format(" {}", argv[i]);
    CLI::App app{
        "flipstorm: which bits of a neural network must not flip? Fault injection, prediction, protection."};
    app.name("flipstorm");
    Arguments arguments;
    add_commands(app, arguments);
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
            return static_cast<int>(execute(arguments, command_line, session.world(), start));
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
            return static_cast<int>(report(session,
                                           memory_message("running 'flipstorm " + arguments.command + "'"),
                                           ExitCode::internal, false));
        }
        catch (const std::exception& error)
        {
            const std::string message = plain_message(error.what());
            return static_cast<int>(report(
                session,
                tells_of_memory(message)
                    ? fmt::format("{} ({})", memory_message("running 'flipstorm " + arguments.command + "'"),
                                  message)
                    : message,
                ExitCode::internal, false));
        }
    }
    catch (const Error& error)
    {
        print_error(fmt::format("flipstorm: {}\n", error.what()));
        return static_cast<int>(error.exit_code());
    }
}

}  // namespace flipstorm

int main(int argc, char** argv)
{
    return flipstorm::finish_output(flipstorm::run_program(argc, argv));
}
