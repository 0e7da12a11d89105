#include "jobs/commands.hpp"

#include <cstdlib>
#include <functional>

#include "engine/base/library_memory.hpp"
#include "engine/base/printable_text.hpp"
#include "engine/base/standard_output.hpp"
#include "engine/base/timing.hpp"
#include "engine/compute/torch/libtorch_log.hpp"
#include "jobs/bench/bench_stage.hpp"
#include "jobs/command_line.hpp"
#include "jobs/job_file/job_file.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/job_file/job_variants.hpp"
#include "jobs/resolve/stoppable.hpp"
#include "jobs/stages/inspect.hpp"
#include "jobs/stages/locked_stage.hpp"
#include "jobs/stages/stages.hpp"
#include "jobs/stages/variants.hpp"
#include "mpi/placement.hpp"
#include "mpi/queue_simulation.hpp"

namespace flipstorm
{
namespace
{

StageEnd print_plan(const Context& context)
{
    return on_root_until_stopped(context, {"a plan keeps nothing", {}}, [&](const StopRequest& stop) {
        print_result("{}", printable(describe_plan(context, stop), TextLines::many));
        return StageEnd::complete;
    });
}

const std::vector<JobCommand> kCommands = {
    {"run", "train (if there is no model yet), inject, forest, harden, report", run_all, true, true},
    {"train", "train the network: OUT/model.h5", run_train},
    {"plan", "print strata, sample sizes, cost, and the time on any number of ranks", print_plan, true, false,
     false, true},
    {"inject", "inject the sampled faults: OUT/campaign.h5", run_inject},
    {"forest", "predict the criticality of every bit: OUT/forest.h5", run_forest},
    {"harden", "size selective protection: OUT/protection.h5", run_harden},
    {"report", "print the tables, draw the figures: OUT/report.html", run_report, true, true},
    {"bench", "time the evaluation modes on the job's own faults, and compare their outcomes", run_bench,
     false, false, false},
};

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

/// The surroundings that the command line alone decides.
Context context_of(const Arguments& arguments, const std::string& command_line, const Communicator& world)
{
    Context context;
    context.command_line = command_line;
    context.world = world;
    context.fresh = arguments.fresh;
    context.quiet = arguments.quiet;
    context.all_strata = arguments.all_strata;
    context.deadline = arguments.deadline;
    context.bench = arguments.bench;
    context.cost = arguments.cost;
    return context;
}

/// Where the ranks of this node compute.
class Placement
{
  public:
    /// \collective
    explicit Placement(const Communicator& world)
        : node_(world.split_by_node()), cpus_(gather_allowed_cpus(node_))
    {}

    /// The context of a job, with its device and threads. \param planning  a device that is not here is no
    /// error \throws AgreedError. \collective
    [[nodiscard]] Context place(const Context& common, const Job& job, bool planning) const
    {
        Context result = common;
        result.job = job;
        result.cost.possible = job.device.kind != "cuda" || visible_cuda_devices() > 0;
        on_all(common.world, [&] {
            if (!planning || result.cost.possible)
                result.device = pick_device(job, {node_.rank(), node_.size()});
            result.threads =
                threads_per_rank(cpus_, node_.rank(), parse_omp_num_threads(std::getenv("OMP_NUM_THREADS")),
                                 static_cast<int>(job.device.threads));
            if (reserve_library_memory(result.threads)) set_compute_threads(result.threads);
        });
        log_libtorch_warnings(result.threads);
        return result;
    }

  private:
    Communicator node_;
    std::vector<CpuSet> cpus_;
};

/// Run a stage of a job, or of each of its variants, and compare them.
StageEnd run_job(const JobCommand& command, const std::function<StageEnd(const Context&)>& stage,
                 const JobFile& file, const std::function<Context(const Job&)>& placed)
{
    // Each job has its own out folder, and so its own lock.
    const auto run = [&](const Context& job) {
        return command.writes_out ? run_locked(job, stage) : stage(job);
    };
    if (file.variants.empty()) return run(placed(file.job));
    std::vector<VariantContext> variants;
    for (const JobVariant& variant : file.variants)
        variants.push_back({variant.name, placed(variant.job)});
    const StageEnd end = run_variants(variants, run);
    if (end != StageEnd::complete || !command.compares) return end;
    return run_locked(placed(file.job),
                      [&](const Context& whole) { return run_comparison(whole, file, variants); });
}

/// A command that works on a job.
ExitCode execute_on_job(const JobCommand& command, const std::function<StageEnd(const Context&)>& stage,
                        const Arguments& arguments, Context context, ProcessStart& start)
{
    const Communicator& world = context.world;
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
    const bool planning = arguments.dry_run || command.plans;
    if (!context.cost.ranks.empty())
        on_all(world, [&] { static_cast<void>(parse_ranks(context.cost.ranks)); });
    const Placement placement(world);
    const auto placed = [&](const Job& job) { return placement.place(context, job, planning); };
    if (!planning) return exit_code_of(run_job(command, stage, file, placed));
    std::vector<VariantContext> variants;
    for (const JobVariant& variant : file.variants)
        variants.push_back({variant.name, placed(variant.job)});
    return exit_code_of(print_plans(placed(file.job), variants));
}

}  // namespace

const std::vector<JobCommand>& job_commands()
{
    return kCommands;
}

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
    const Context context = context_of(arguments, command_line, world);
    if (arguments.command == "import")
    {
        const JobCommand importing{"import", "", nullptr, false, false, false};
        const auto stage = [&arguments](const Context& job) {
            return run_import(job, arguments.model, arguments.to);
        };
        return execute_on_job(importing, stage, arguments, context, start);
    }
    for (const JobCommand& command : kCommands)
    {
        if (arguments.command == command.name)
            return execute_on_job(command, command.run, arguments, context, start);
    }
    throw Error("command '{}' is not in the table", arguments.command);
}

}  // namespace flipstorm
