// Stage `inject`: model.h5 and test images → journal → campaign.h5.

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "analysis/golden_check.hpp"
#include "analysis/result_table.hpp"
#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/log.hpp"
#include "engine/base/timing.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/campaign_description.hpp"
#include "jobs/campaign/campaign_output.hpp"
#include "jobs/campaign/injection.hpp"
#include "jobs/campaign/kinds/injection.hpp"
#include "jobs/campaign/outdated_outcomes.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/resolve/stoppable.hpp"
#include "jobs/stages/stages.hpp"
#include "mpi/lock_holder.hpp"
#include "mpi/out_lock.hpp"
#include "mpi/rank_mix.hpp"

namespace flipstorm
{

namespace
{

/// Where the ranks compute, in words. \collective
std::string placement_of_ranks(const Context& context)
{
    const Device device = evaluation_options(context, EvaluationMode::exact).device;
    const std::string mine = fmt::format("{}\n{}\n{}", host_name(), to_string(device), context.threads);
    std::vector<RankPlace> ranks;
    for (const std::string& theirs : context.world.all_gather(mine))
    {
        const std::size_t first = theirs.find('\n');
        const std::size_t second = theirs.rfind('\n');
        ranks.push_back({theirs.substr(0, first), theirs.substr(first + 1, second - first - 1),
                         std::stoi(theirs.substr(second + 1))});
    }
    return describe_ranks(ranks);
}

/// What `flipstorm status` needs to know of a campaign that starts or goes on now.
CampaignDescription start_description(const Context& context, const Campaign& campaign,
                                      const std::string& placement)
{
    CampaignDescription description;
    try
    {
        const auto earlier = read_description(context.out());
        if (earlier && earlier->stage_sha256 == campaign.stage_sha256 && !context.fresh)
            description.starts = earlier->starts + 1;
    }
    catch (const FileError& error)
    {
        log_warning("{}; it is replaced", error.what());
    }
    description.stage_sha256 = campaign.stage_sha256;
    description.model_sha256 = campaign.model_sha256;
    description.dataset_sha256 = campaign.dataset_sha256;
    description.model_file = std::filesystem::absolute(context.model_file()).string();
    description.images = static_cast<std::uint64_t>(campaign.images.size());
    description.faults = campaign.plan().most_faults();
    description.chunks = campaign.plan().chunks().size();
    description.started = epoch_seconds();
    description.ranks = static_cast<std::uint64_t>(context.world.size());
    description.placement = placement;
    description.deadline = context.deadline;
    Job job = context.job;
    if (!job.campaign.protected_memory.empty())
        job.campaign.protected_memory = std::filesystem::absolute(job.campaign.protected_memory).string();
    if (!job.campaign.fault_list.empty())
        job.campaign.fault_list = std::filesystem::absolute(job.campaign.fault_list).string();
    if (!job.campaign.exclude.empty())
        job.campaign.exclude = std::filesystem::absolute(job.campaign.exclude).string();
    description.job = canonical_job(job);
    return description;
}

/// Say what makes the outcomes of a campaign meaningless, on rank 0.
void warn_of_golden(const Context& context, const Campaign& campaign, const Golden& golden)
{
    if (!context.world.is_root()) return;
    for (const std::string& warning :
         {chance_warning(golden.correct, golden.images(),
                         static_cast<std::uint64_t>(campaign.network.num_classes)),
          tie_warning(golden.margin)})
    {
        if (!warning.empty()) log_warning("{}", warning);
    }
    const DataTable& data = context.job.data;
    const Normalisation& own = campaign.network.normalisation;
    const auto same = [](double given, float used) { return static_cast<float>(given) == used; };
    const bool as_given =
        data.mean.empty() ||
        (std::equal(data.mean.begin(), data.mean.end(), own.mean.begin(), own.mean.end(), same) &&
         std::equal(data.std.begin(), data.std.end(), own.std_dev.begin(), own.std_dev.end(), same));
    if (as_given) return;
    log_warning(
        "data.mean and data.std of the job are not those that '{}' was made with, and the latter count: "
        "mean [{}], std [{}]",
        context.model_file().string(), fmt::join(own.mean, ", "), fmt::join(own.std_dev, ", "));
}

/// Say how long ranks waited instead of computing.
void log_waiting(const WaitingTimes& waiting)
{
    log_info(
        "waiting: {} % of the ranks' time for chunks (at most {} % of one), {} % for the last rank at the "
        "end (at most {} %); {}",
        format_percent(waiting.next, 3), format_percent(waiting.next_most, 3), format_percent(waiting.end),
        format_percent(waiting.end_most),
        waiting.one_sided ? "one-sided counter" : "counter asked by messages");
}

/// Number of layers that faults strike.
std::size_t injected_layers(const Context& context, const Campaign& campaign)
{
    const std::size_t chosen = context.job.campaign.layers.size();
    return chosen > 0 ? chosen : campaign.layers().size();
}

/// Whether campaign.h5 is there and up to date; the log says so, or why it is computed again.
/// \throws JobError as output_is_current, FileError
bool campaign_is_current(const Context& context, const std::filesystem::path& file, const Campaign& campaign)
{
    const bool there = !context.fresh && std::filesystem::exists(file);
    const std::string outdated = there ? why_outdated(file, context.job, campaign) : std::string();
    if (outdated.empty()) return output_is_current(context, file, campaign.stage_sha256, true);
    log_warning("{} is of an earlier version: {}; it is computed again", file.string(), outdated);
    return false;
}

}  // namespace

StageEnd run_inject(const Context& context)
{
    const Communicator& world = context.world;
    std::unique_ptr<StopWatchdog> start = watch_start(context);
    std::unique_ptr<Campaign> loaded;
    on_all(world, [&] { loaded = load_campaign(context); });
    const Campaign& campaign = *loaded;
    bool current = false;
    const std::filesystem::path file = context.file("campaign.h5");
    on_root(context, [&] {
        current = campaign_is_current(context, file, campaign);
        if (!current) make_folder(context.out());
        return StageEnd::complete;
    });
    if (world.broadcast(current ? 1U : 0U) != 0) return StageEnd::complete;

    set_compute_threads(
        1);  // the evaluator runs whole groups of faults on its threads, not parts of operations
    const std::unique_ptr<ChunkWork> work = work_of(context, campaign);
    start.reset();
    SavedChunks saved = take_up_journal(context, campaign);
    const Golden& golden = work->golden();
    const std::string placement = placement_of_ranks(context);
    log_info("injecting {}{} faults into {} layers on {} images ({:.2f} % correct): {}",
             campaign.plan().budget() > 0  ? "about "
             : campaign.plan().iterative() ? "at most "
                                           : "",
             campaign.plan().most_faults(), injected_layers(context, campaign), golden.images(),
             100.0 * static_cast<double>(golden.correct) / static_cast<double>(golden.images()), placement);
    warn_of_golden(context, campaign, golden);
    CampaignDescription description;
    if (world.is_root())
    {
        description = start_description(context, campaign, placement);
        write_description(context.out(), description);
    }
    const auto describe_end = [&](const std::string& reason) {
        if (!world.is_root()) return;
        description.ended = epoch_seconds();
        description.reason = reason;
        write_description(context.out(), description);
    };
    Harvest harvest = inject_missing(context, campaign, *work, std::move(saved));
    if (world.size() > 1) log_waiting(harvest.waiting);
    if (harvest.missing > 0)
    {
        describe_end(harvest.stop_reason);
        if (world.is_root())
        {
            log_warning("stopped by {}: {} of {} chunks are left; run the same command{} to go on",
                        harvest.stop_reason, harvest.missing, harvest.chunks.size(),
                        context.fresh ? " without --fresh" : "");
        }
        return StageEnd::stopped;
    }
    on_root(context, [&] {
        if (context.lock != nullptr) context.lock->require_held();
        return StageEnd::complete;
    });
    const std::uint64_t rows = CampaignRows(campaign.plan(), harvest.chunks).size();
    const ScreenRecord screen = screen_record(campaign, harvest.layers);
    const std::uint64_t computed = harvest.faults;
    const double seconds = harvest.seconds;
    write_harvest(context, campaign, golden, std::move(harvest));
    describe_end("complete");
    log_info("{}: {} faults, {} of them now in {:.1f} s ({:.0f} faults/s)", file.string(), rows, computed,
             seconds, static_cast<double>(computed) / seconds);
    if (screen.screened > 0)
    {
        log_info(
            "screen: {:.2f} % of {} pairs taken as unchanged; {} of them audited, {} disagreed; at most "
            "{:.2g} of a layer's may be wrong (95 %)",
            100 * static_cast<double>(screen.screened) / static_cast<double>(screen.pairs),
            format_count(screen.pairs), format_count(screen.audited), format_count(screen.disagreements),
            screen.bound95);
    }
    return StageEnd::complete;
}

}  // namespace flipstorm
