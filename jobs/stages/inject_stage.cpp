// Stage `inject`: model.h5 and test images → journal → campaign.h5.

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "analysis/golden_check.hpp"
#include "analysis/tables.hpp"
#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/log.hpp"
#include "engine/base/timing.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/campaign_description.hpp"
#include "jobs/campaign/campaign_output.hpp"
#include "jobs/campaign/injection.hpp"
#include "jobs/campaign/outcome_codec.hpp"
#include "jobs/campaign/outdated_outcomes.hpp"
#include "jobs/campaign/transient_campaign.hpp"
#include "jobs/campaign/weight_work.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/resolve/plan_of_job.hpp"
#include "jobs/stages/stages.hpp"
#include "jobs/stages/stoppable.hpp"
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
    description.faults = campaign.plan->size();
    description.chunks = campaign.plan->chunks().size();
    description.started = epoch_seconds();
    description.ranks = static_cast<std::uint64_t>(context.world.size());
    description.placement = placement;
    description.deadline = context.deadline;
    description.job = canonical_job(context.job);
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
        "end "
        "(at most {} %); {}",
        format_percent(waiting.next, 3), format_percent(waiting.next_most, 3), format_percent(waiting.end),
        format_percent(waiting.end_most),
        waiting.one_sided ? "one-sided counter" : "counter asked by messages");
}

}  // namespace

std::uint64_t first_row_of(std::uint64_t rows, int rank, int size)
{
    return rows / static_cast<std::uint64_t>(size) * static_cast<std::uint64_t>(rank) +
           std::min<std::uint64_t>(static_cast<std::uint64_t>(rank), rows % static_cast<std::uint64_t>(size));
}

std::vector<JournalEntry> to_row_owners(const Context& context, const Plan& plan, const CampaignRows& rows,
                                        const std::vector<JournalEntry>& entries)
{
    const int size = context.world.size();
    std::vector<std::string> per_rank;
    for (int rank = 0; rank < size; ++rank)
    {
        const std::uint64_t begin = first_row_of(rows.size(), rank, size);
        const std::uint64_t end = first_row_of(rows.size(), rank + 1, size);
        std::vector<JournalEntry> wanted;
        for (const JournalEntry& entry : entries)
        {
            const std::uint64_t first = rows.first_row(entry.chunk);
            if (first < end && first + plan.chunks()[entry.chunk.value()].count > begin)
                wanted.push_back(entry);
        }
        per_rank.push_back(encode_entries(wanted));
    }
    std::vector<JournalEntry> mine;
    for (const std::string& bytes : context.world.exchange(std::move(per_rank)))
    {
        for (JournalEntry& entry : decode_entries(bytes))
            mine.push_back(std::move(entry));
    }
    return mine;
}

namespace
{

/// The screens that were tried on each layer, and the totals of those that were kept.
ScreenRecord screen_record(const Campaign& campaign, const std::vector<LayerScreening>& layers)
{
    const ScreenPolicy& policy = campaign.policy;
    ScreenRecord record;
    if (policy.screened)
    {
        record.kappa = policy.kappa;
        record.tau = policy.tau;
        record.screen_bound = policy.bound;
    }
    ScreenTable& table = record.trials;
    for (std::size_t l = 0; l < layers.size(); ++l)
    {
        for (const ScreenTrial& trial : layers[l].trials)
        {
            const bool exact = trial.level == ScreenLevel::exact;
            table.layer.push_back(static_cast<std::int32_t>(l));
            table.level.push_back(static_cast<std::uint8_t>(trial.level));
            table.kappa.push_back(exact ? 0 : trial.screen.kappa);
            table.tau.push_back(trial.screen.tau);
            table.audit_share.push_back(trial.screen.audit_share);
            table.pairs.push_back(trial.pairs);
            table.screened.push_back(trial.totals.screened);
            table.audited.push_back(trial.totals.audited);
            table.disagreements.push_back(trial.totals.disagreements);
            table.bound95.push_back(trial.bound95);
            table.kept.push_back(trial.kept ? 1 : 0);
            if (!trial.kept) continue;
            record.pairs += trial.pairs;
            record.screened += trial.totals.screened;
            record.audited += trial.totals.audited;
            record.disagreements += trial.totals.disagreements;
            record.bound95 = std::max(record.bound95, trial.bound95);
        }
    }
    return record;
}

}  // namespace

CampaignHeader make_header(const Context& context, const Campaign& campaign, const Golden& golden,
                           const Harvest& harvest)
{
    CampaignHeader header;
    header.provenance =
        make_provenance(context, campaign.stage_sha256, campaign.model_sha256, campaign.dataset_sha256);
    header.target = context.job.campaign.target;
    header.evaluation = context.job.campaign.evaluation;
    const UpsetModel upset = upset_model(context.job.campaign.fault_model, context.job.campaign.upset_bits);
    header.fault_model = campaign.transient ? "transient" : to_string(upset.model);
    header.upset_bits = campaign.transient ? 0 : upset.bits;
    header.tolerances = context.job.campaign.tolerances;
    header.images = golden.images();
    header.golden_correct = golden.correct;
    header.faults_per_second = harvest.faults > 0 ? static_cast<double>(harvest.faults) / harvest.seconds : 0;
    header.wall_seconds = harvest.seconds;
    const std::vector<std::string>& chosen = context.job.campaign.layers;
    for (const InjectableLayer& layer : campaign.layers)
    {
        const bool injected =
            chosen.empty() || std::find(chosen.begin(), chosen.end(), layer.name) != chosen.end();
        header.layers.injected.push_back(injected ? 1 : 0);
        header.layers.name.push_back(layer.name);
        header.layers.weights.push_back(layer.weights);
        header.layers.out_channels.push_back(layer.out_channels);
        header.layers.in_channels.push_back(layer.in_channels);
        header.layers.word_bits.push_back(layer.word_bits);
    }
    for (std::size_t s = 0; s < campaign.plan->strata().size(); ++s)
    {
        const Stratum& stratum = campaign.plan->strata()[s];
        header.strata.layer.push_back(stratum.layer);
        header.strata.bit.push_back(stratum.bit);
        header.strata.population.push_back(stratum.population);
        header.strata.planned.push_back(harvest.planned[s]);
        header.strata.evaluated.push_back(harvest.evaluated[s]);
    }
    header.golden.label = golden.label;
    header.golden.top1 = golden.top1;
    header.golden.margin = golden.margin;
    header.screen = screen_record(campaign, harvest.layers);
    return header;
}

namespace
{

/// The rows [first, first + count) of /faults, from the plan alone.
FaultTable fault_rows(const Campaign& campaign, const CampaignRows& rows, std::uint64_t first,
                      std::uint64_t count)
{
    FaultTable table;
    table.resize(count);
    for (std::uint64_t i = 0; i < count; ++i)
    {
        const FaultIndex index = rows.fault(first + i);
        const FaultyWeight weight = faulty_weight(campaign.network, campaign.layers, *campaign.plan, index);
        const WeightFault& fault = weight.fault;
        const InjectableLayer& layer = campaign.layers[static_cast<std::size_t>(fault.layer.value())];
        const auto channel = static_cast<std::int64_t>(fault.parameter) / layer.kernel_elements;
        table.stratum[i] = fault.stratum.value();
        table.layer[i] = fault.layer.value();
        table.parameter[i] = fault.parameter;
        table.out_channel[i] = static_cast<std::int32_t>(channel / layer.in_channels);
        table.in_channel[i] = static_cast<std::int32_t>(channel % layer.in_channels);
        table.bit[i] = static_cast<std::uint8_t>(fault.bit);
        table.mask[i] = fault.word.mask;
        table.effect[i] = static_cast<std::uint8_t>(fault.word.effect);
        table.sign[i] = std::signbit(weight.before) ? 1 : 0;
        table.value_before[i] = weight.before;
        table.value_after[i] = weight.after;
    }
    return table;
}

/// Number of layers that faults strike.
std::size_t injected_layers(const Context& context, const Campaign& campaign)
{
    const std::size_t chosen = context.job.campaign.layers.size();
    return chosen > 0 ? chosen : campaign.layers.size();
}

void write_outcomes(const Context& context, const Campaign& campaign, const Golden& golden,
                    const Harvest& harvest)
{
    const Plan& plan = *campaign.plan;
    const CampaignRows rows(plan, harvest.chunks);
    const std::uint64_t begin = first_row_of(rows.size(), context.world.rank(), context.world.size());
    const std::uint64_t end = first_row_of(rows.size(), context.world.rank() + 1, context.world.size());
    OutcomeTable outcomes;
    outcomes.resize(end - begin);
    for (const JournalEntry& entry : to_row_owners(context, plan, rows, harvest.entries))
    {
        const Chunk& chunk = plan.chunks()[entry.chunk.value()];
        const std::vector<Outcome> decoded =
            decode_outcomes(entry.bytes, chunk.count, golden.images()).outcomes;
        for (std::uint64_t i = 0; i < chunk.count; ++i)
        {
            const std::uint64_t row = rows.first_row(entry.chunk) + i;
            if (row < begin || row >= end) continue;
            const Outcome& outcome = decoded[i];
            outcomes.evaluated[row - begin] = outcome.tally.evaluated;
            outcomes.correct[row - begin] = outcome.tally.correct;
            outcomes.mismatches[row - begin] = outcome.tally.mismatches;
            outcomes.nonfinite[row - begin] = outcome.tally.nonfinite;
            outcomes.stopped[row - begin] = outcome.stopped ? 1 : 0;
            outcomes.drop[row - begin] = outcome.drop;
        }
    }
    write_campaign(context.file("campaign.h5"), make_header(context, campaign, golden, harvest),
                   fault_rows(campaign, rows, begin, end - begin), outcomes, begin, rows.size(),
                   context.world.handle());
}

/// Why an entry of the journal is of no use; empty if it is of use.
std::string entry_problem(const Campaign& campaign, const ChunkWork& work, const JournalEntry& entry)
{
    const std::vector<Chunk>& chunks = campaign.plan->chunks();
    if (entry.chunk.value() >= chunks.size() || entry.level >= kScreenLevels)
        return fmt::format("there is no such chunk at level {}", entry.level);
    try
    {
        static_cast<void>(work.decode(entry.bytes, chunks[entry.chunk.value()].count));
    }
    catch (const FileError& error)
    {
        return error.what();
    }
    return {};
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

/// This rank's share of what earlier runs left and can be used; what cannot, or is to be discarded, is
/// removed. \collective
JournalContent take_up_journal(const Context& context, const Campaign& campaign, const ChunkWork& work)
{
    const std::filesystem::path folder = context.file("journal");
    // Nothing old is discarded before it is known that the new can be computed.
    on_root(context, [&] {
        if (context.fresh)
        {
            remove_journal(folder);
            std::filesystem::remove(context.file("campaign.h5"));
        }
        else if (context.lock != nullptr && context.lock->held())
        {
            remove_unfinished_segments(folder);
            remove_superseded(folder, campaign);
        }
        return StageEnd::complete;
    });
    JournalContent journal;
    on_all(context.world, [&] {
        journal =
            read_journal(folder, campaign.stage_sha256, context.world.rank(), context.world.size(),
                         [&](const JournalEntry& entry) { return entry_problem(campaign, work, entry); });
    });
    drop_outdated(context, campaign, journal);
    return journal;
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
    std::vector<float> golden_logits;
    if (!campaign.transient) golden_logits = golden_logits_of_all(context, campaign);
    std::unique_ptr<ChunkWork> work;
    on_all(world, [&] {
        work = campaign.transient ? transient_work(context, campaign)
                                  : weight_work(context, campaign, std::move(golden_logits));
    });
    start.reset();
    JournalContent journal = take_up_journal(context, campaign, *work);
    const Golden& golden = work->golden();
    const std::string placement = placement_of_ranks(context);
    log_info("injecting {}{} faults into {} layers on {} images ({:.2f} % correct): {}",
             campaign.plan->iterative() ? "at most " : "", campaign.plan->size(),
             injected_layers(context, campaign), golden.images(),
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
    const Harvest harvest = inject_missing(context, campaign, *work, std::move(journal));
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
    if (campaign.transient)
        write_transient_outcomes(context, campaign, golden, harvest);
    else
        write_outcomes(context, campaign, golden, harvest);
    describe_end("complete");
    log_info("{}: {} faults, {} of them now in {:.1f} s ({:.0f} faults/s)", file.string(),
             CampaignRows(*campaign.plan, harvest.chunks).size(), harvest.faults, harvest.seconds,
             static_cast<double>(harvest.faults) / harvest.seconds);
    const ScreenRecord screen = screen_record(campaign, harvest.layers);
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
