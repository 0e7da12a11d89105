#include "jobs/commands.hpp"

#include <cstdlib>
#include <functional>

#include "engine/base/library_memory.hpp"
#include "engine/base/standard_output.hpp"
#include "engine/base/timing.hpp"
#include "jobs/command_line.hpp"
#include "jobs/job_file/job_file.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/job_file/job_variants.hpp"
#include "jobs/resolve/processor.hpp"
#include "jobs/stages/inspect.hpp"
#include "jobs/stages/locked_stage.hpp"
#include "jobs/stages/stages.hpp"
#include "jobs/stages/variants.hpp"
#include "mpi/agreed_error.hpp"
#include "mpi/placement.hpp"
#include "mpi/queue_simulation.hpp"

namespace flipstorm
{
namespace
{

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
StageEnd print_plans(const Program& program, const Context& context,
                     const std::vector<VariantContext>& variants)
{
    if (variants.empty()) return program.print_plan(context);
    for (const VariantContext& variant : variants)
    {
        if (context.world.is_root())
            print_result("Variant {}, in {}\n\n", variant.name, variant.context.out().string());
        if (program.print_plan(variant.context) == StageEnd::stopped) return StageEnd::stopped;
        if (context.world.is_root()) print_result("\n");
    }
    return StageEnd::complete;
}

/// The surroundings that program and command line alone decide.
Context context_of(const Program& program, const Arguments& arguments, const std::string& command_line,
                   const Communicator& world)
{
    Context context;
    context.processor = program.processor;
    context.command_line = command_line;
    context.world = world;
    context.fresh = arguments.fresh;
    context.quiet = arguments.quiet;
    context.all_strata = arguments.all_strata;
    context.deadline = arguments.deadline;
    context.bench = arguments.bench;
    context.cost = arguments.cost;
    context.model_files = arguments.model_files;
    context.export_to = arguments.export_to;
    context.validation_faults = arguments.validation_faults;
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
        const Processor* const processor = common.processor;
        result.cost.possible = processor == nullptr || processor->has_device_of(job);
        on_all(common.world, [&] {
            if (processor != nullptr && (!planning || result.cost.possible))
                result.device = processor->device_of(job, {node_.rank(), node_.size()});
            result.threads =
                threads_per_rank(cpus_, node_.rank(), parse_omp_num_threads(std::getenv("OMP_NUM_THREADS")),
                                 static_cast<int>(job.device.threads));
            if (reserve_library_memory(result.threads) && processor != nullptr)
                processor->use_threads(result.threads);
        });
        if (processor != nullptr) processor->log_warnings(result.threads);
        return result;
    }

  private:
    Communicator node_;
    std::vector<CpuSet> cpus_;
};

/// Run a stage of a job, or of each of its variants, and compare them.
StageEnd run_job(const JobCommand& command, const JobFile& file,
                 const std::function<Context(const Job&)>& placed)
{
    // Each job has its own out folder, and so its own lock.
    const auto run = [&](const Context& job) {
        return command.writes_out ? run_locked(job, command.run) : command.run(job);
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
ExitCode execute_on_job(const Program& program, const JobCommand& command, const Arguments& arguments,
                        Context context, ProcessStart& start)
{
    const Communicator& world = context.world;
    JobFile file;
    on_all(world, [&] {
        file = read_jobs(arguments);
        FS_CHECK(JobError, file.variants.empty() || command.each_variant || arguments.print_config,
                 "the job has {} variants; name the one to {} with --variant", file.variants.size(),
                 command.name);
    });
    FS_CHECK(AgreedError, file.variants.empty() || arguments.export_to.empty(),
             "--export is for one network, and the job has variants: name one with --variant",
             ExitCode::usage);
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
    if (!planning) return exit_code_of(run_job(command, file, placed));
    const auto planned = [&](const Job& job) {
        const Context there = placed(job);
        return command.planned != nullptr ? command.planned(there) : there;
    };
    std::vector<VariantContext> variants;
    for (const JobVariant& variant : file.variants)
        variants.push_back({variant.name, planned(variant.job)});
    return exit_code_of(print_plans(program, planned(file.job), variants));
}

}  // namespace

std::vector<JobCommand> analysis_commands()
{
    return {
        {"forest", "predict the criticality of every bit: OUT/forest.h5", run_forest, true, false, true,
         false, add_forest_options},
        {"harden", "choose the protection: OUT/protection.h5, and the memory under it: OUT/protected.h5",
         run_harden, true, false, true, false, add_harden_options},
        {"report", "print the tables, draw the figures: OUT/report.html", run_report, true, true},
    };
}

ExitCode execute(const Program& program, const Arguments& arguments, const std::string& command_line,
                 const Communicator& world, ProcessStart& start)
{
    if (arguments.command == "inspect")
    {
        if (world.is_root()) run_inspect(arguments.file, arguments.seal, arguments.fault_list);
        return ExitCode::complete;
    }
    if (arguments.command == "status")
    {
        const CampaignStatus status = look_at_campaign(arguments.out, epoch_seconds());
        const auto text = arguments.status_json ? status_json : status_text;
        print_result("{}", text(status, arguments.out, arguments.status));
        return ExitCode::complete;
    }
    for (const JobCommand& command : program.job_commands)
    {
        if (arguments.command != command.name) continue;
        return execute_on_job(program, command, arguments,
                              context_of(program, arguments, command_line, world), start);
    }
    throw Error("command '{}' is not in the table", arguments.command);
}

}  // namespace flipstorm
