// Stage `inject`: model.h5 and test images → journal → campaign.h5.

#include <cmath>
#include <memory>

#include "engine/base/durable_file.hpp"
#include "engine/base/log.hpp"
#include "engine/base/sha256.hpp"
#include "engine/base/timing.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "engine/faults/fault_model.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "jobs/inputs.hpp"
#include "jobs/job_print.hpp"
#include "jobs/outcome_codec.hpp"
#include "jobs/plan_of_job.hpp"
#include "jobs/progress.hpp"
#include "jobs/stages.hpp"
#include "mpi/chunk_queue.hpp"
#include "mpi/journal.hpp"

namespace flipstorm
{
namespace
{

/// Everything a rank needs to compute chunks.
struct Campaign
{
    Network network;
    ImageSet images;
    std::string model_sha256;
    std::string dataset_sha256;
    std::string stage_sha256;
    std::vector<InjectableLayer> layers;
    std::unique_ptr<Plan> plan;
};

Campaign load_campaign(const Context& context)
{
    need_input(context.model_file(), "train");
    Campaign campaign{
        load_network(context.model_file()), load_test_images(context.job), {}, {}, {}, {}, nullptr};
    check_images(campaign.images, campaign.network.num_classes,
                 "test set for " + context.model_file().string());
    campaign.model_sha256 = digest(campaign.network);
    campaign.dataset_sha256 = digest(campaign.images);
    campaign.layers = injectable_layers(campaign.network);
    campaign.plan = std::make_unique<Plan>(
        campaign.layers, plan_options(context.job, static_cast<std::uint64_t>(campaign.images.size())));
    campaign.stage_sha256 =
        campaign_digest(context.job, *campaign.plan, campaign.model_sha256, campaign.dataset_sha256);
    return campaign;
}

/// The changes that the faults of a chunk make to the weights.
std::vector<WeightChange> changes_of(const Campaign& campaign, const Chunk& chunk)
{
    const InjectableLayer& layer = campaign.layers[static_cast<std::size_t>(chunk.layer.value())];
    const std::vector<float>& weights = campaign.network.parameters[layer.weight].values;
    std::vector<WeightChange> changes;
    for (std::uint64_t i = 0; i < chunk.count; ++i)
    {
        const WeightFault fault = campaign.plan->fault(FaultIndex(chunk.first.value() + i));
        changes.push_back(
            {fault.parameter, flip_bit(campaign.network.format, weights[fault.parameter], fault.bit)});
    }
    return changes;
}

/// What the injection loop leaves behind.
struct Harvest
{
    std::vector<JournalEntry> entries;  ///< chunks this rank computed, or read from the journal
    std::uint64_t missing = 0;          ///< chunks that nobody has, on all ranks
    std::uint64_t faults = 0;           ///< computed by this run on all ranks
    double seconds = 0;
    std::string stop_reason;
};

Harvest inject(const Context& context, const Campaign& campaign, Evaluator& evaluator, JournalContent journal)
{
    const Plan& plan = *campaign.plan;
    const Communicator& world = context.world;
    const std::vector<std::uint8_t> done = agree_on_done(world, journal, plan.chunks().size());
    std::vector<ChunkId> order;
    std::vector<double> macs_before{0};
    std::uint64_t faults_left = 0;
    for (const ChunkId id : dearest_first(plan))
    {
        if (done[id.value()] != 0) continue;
        order.push_back(id);
        macs_before.push_back(macs_before.back() + plan.chunks()[id.value()].macs);
        faults_left += plan.chunks()[id.value()].count;
    }
    if (order.size() < plan.chunks().size())
    {
        log_info("journal: {} of {} chunks are done already", plan.chunks().size() - order.size(),
                 plan.chunks().size());
    }

    Harvest harvest;
    CriticalCount critical(plan, context.job.campaign.tolerances.front());
    for (const JournalEntry& entry : journal.entries)
    {
        const Chunk& chunk = plan.chunks()[entry.chunk.value()];
        critical.add(chunk, decode_outcomes(entry.bytes, chunk.count, evaluator.golden().images()));
    }
    harvest.entries = std::move(journal.entries);
    const Stopwatch watch;
    JournalWriter writer(context.file("journal"), campaign.stage_sha256, new_start_id(world), world.rank(),
                         {context.job.campaign.journal_seconds}, [&watch] { return watch.seconds(); });
    std::uint64_t faults = 0;
    {
        ProgressLine progress(context.quiet || !world.is_root());
        ChunkQueue queue(world, order);
        const auto state = [&] {
            // The queue gives chunks out in order: what was taken last is still being computed.
            const std::uint64_t ranks = static_cast<std::uint64_t>(world.size());
            const std::uint64_t taken = std::min<std::uint64_t>(queue.taken(), order.size());
            const std::uint64_t finished = taken >= ranks ? taken - ranks + 1 : 1;
            std::uint64_t finished_faults = 0;
            for (std::uint64_t k = 0; k < finished; ++k)
                finished_faults += plan.chunks()[order[k].value()].count;
            ProgressState now;
            now.faults_total = plan.size();
            now.faults_done = plan.size() - faults_left + finished_faults;
            now.faults_this_run = finished_faults;
            now.macs_done = macs_before[finished];
            now.macs_left = macs_before.back() - macs_before[finished];
            now.seconds = watch.seconds();
            now.segment_age = writer.seconds_since_segment();
            if (context.deadline)
                now.seconds_to_deadline = static_cast<double>(*context.deadline - epoch_seconds());
            now.critical = critical.estimate();
            return now;
        };
        const auto should_stop = [&] { return context.stop->check().has_value(); };
        while (!should_stop())
        {
            const std::optional<ChunkId> id = queue.next();
            if (!id) break;
            const Chunk& chunk = plan.chunks()[id->value()];
            const auto outcomes = evaluator.evaluate(chunk.layer, changes_of(campaign, chunk), {}, should_stop);
            if (!outcomes) break;
            JournalEntry entry{*id, encode_outcomes(*outcomes)};
            writer.append(entry);
            harvest.entries.push_back(std::move(entry));
            critical.add(chunk, *outcomes);
            faults += chunk.count;
            progress.show(watch.seconds(), state);
        }
        if (const auto reason = context.stop->check())
        {
            harvest.stop_reason = reason->text;
            if (reason->kind == StopKind::file) harvest.stop_reason += " (remove it to go on)";
            queue.stop();
        }
        writer.flush();
    }
    // Only the rank that stopped the queue knows why.
    for (const std::string& reason : world.all_gather(harvest.stop_reason))
    {
        if (!reason.empty()) harvest.stop_reason = reason;
    }
    harvest.seconds = watch.seconds();
    harvest.missing = plan.chunks().size() - world.all_reduce(harvest.entries.size(), Reduce::sum);
    harvest.faults = world.all_reduce(faults, Reduce::sum);
    return harvest;
}

/// First row of a rank's share of the faults.
std::uint64_t first_row_of(std::uint64_t rows, int rank, int size)
{
    return rows / static_cast<std::uint64_t>(size) * static_cast<std::uint64_t>(rank) +
           std::min<std::uint64_t>(static_cast<std::uint64_t>(rank), rows % static_cast<std::uint64_t>(size));
}

/// Send each chunk to the ranks whose rows it holds. \collective
std::vector<JournalEntry> to_row_owners(const Context& context, const Plan& plan,
                                        const std::vector<JournalEntry>& entries)
{
    const int size = context.world.size();
    std::vector<std::string> per_rank;
    for (int rank = 0; rank < size; ++rank)
    {
        const std::uint64_t begin = first_row_of(plan.size(), rank, size);
        const std::uint64_t end = first_row_of(plan.size(), rank + 1, size);
        std::vector<JournalEntry> wanted;
        for (const JournalEntry& entry : entries)
        {
            const Chunk& chunk = plan.chunks()[entry.chunk.value()];
            if (chunk.first.value() < end && chunk.first.value() + chunk.count > begin)
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

CampaignHeader make_header(const Context& context, const Campaign& campaign, const Golden& golden,
                           const Harvest& harvest)
{
    CampaignHeader header;
    header.provenance =
        make_provenance(context, campaign.stage_sha256, campaign.model_sha256, campaign.dataset_sha256);
    header.target = context.job.campaign.target;
    header.evaluation = context.job.campaign.evaluation;
    header.tolerances = context.job.campaign.tolerances;
    header.images = golden.images();
    header.golden_correct = golden.correct;
    header.faults_per_second = harvest.faults > 0 ? static_cast<double>(harvest.faults) / harvest.seconds : 0;
    header.wall_seconds = harvest.seconds;
    for (const InjectableLayer& layer : campaign.layers)
    {
        header.layers.name.push_back(layer.name);
        header.layers.weights.push_back(layer.weights);
        header.layers.out_channels.push_back(layer.out_channels);
        header.layers.in_channels.push_back(layer.in_channels);
        header.layers.word_bits.push_back(layer.word_bits);
    }
    for (const Stratum& stratum : campaign.plan->strata())
    {
        header.strata.layer.push_back(stratum.layer);
        header.strata.bit.push_back(stratum.bit);
        header.strata.population.push_back(stratum.population);
        header.strata.planned.push_back(stratum.planned);
        header.strata.evaluated.push_back(stratum.drawn);
    }
    header.golden.label = golden.label;
    header.golden.top1 = golden.top1;
    header.golden.margin = golden.margin;
    header.screen.pairs = campaign.plan->size() * golden.images();
    return header;
}

/// The rows [first, first + count) of /faults, from the plan alone.
FaultTable fault_rows(const Campaign& campaign, std::uint64_t first, std::uint64_t count)
{
    FaultTable table;
    table.resize(count);
    for (std::uint64_t i = 0; i < count; ++i)
    {
        const WeightFault fault = campaign.plan->fault(FaultIndex(first + i));
        const InjectableLayer& layer = campaign.layers[static_cast<std::size_t>(fault.layer.value())];
        const float value = campaign.network.parameters[layer.weight].values[fault.parameter];
        const auto channel = static_cast<std::int64_t>(fault.parameter) / layer.kernel_elements;
        table.stratum[i] = fault.stratum.value();
        table.layer[i] = fault.layer.value();
        table.parameter[i] = fault.parameter;
        table.out_channel[i] = static_cast<std::int32_t>(channel / layer.in_channels);
        table.in_channel[i] = static_cast<std::int32_t>(channel % layer.in_channels);
        table.bit[i] = static_cast<std::uint8_t>(fault.bit);
        table.sign[i] = std::signbit(value) ? 1 : 0;
        table.value_before[i] = value;
        table.value_after[i] = flip_bit(campaign.network.format, value, fault.bit);
    }
    return table;
}

void write_outcomes(const Context& context, const Campaign& campaign, const Golden& golden,
                    const Harvest& harvest)
{
    const Plan& plan = *campaign.plan;
    const std::uint64_t begin = first_row_of(plan.size(), context.world.rank(), context.world.size());
    const std::uint64_t end = first_row_of(plan.size(), context.world.rank() + 1, context.world.size());
    OutcomeTable outcomes;
    outcomes.resize(end - begin);
    for (const JournalEntry& entry : to_row_owners(context, plan, harvest.entries))
    {
        const Chunk& chunk = plan.chunks()[entry.chunk.value()];
        const std::vector<Outcome> decoded = decode_outcomes(entry.bytes, chunk.count, golden.images());
        for (std::uint64_t i = 0; i < chunk.count; ++i)
        {
            const std::uint64_t row = chunk.first.value() + i;
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
                   fault_rows(campaign, begin, end - begin), outcomes, begin, plan.size(),
                   context.world.handle());
}

}  // namespace

std::string campaign_digest(const Job& job, const Plan& plan, const std::string& model_sha256,
                            const std::string& dataset_sha256)
{
    Job relevant = job;
    relevant.campaign.confidence = 0.99;  // only t, which comes from it, is used
    Sha256 hash;
    hash.update("flipstorm campaign 1\n").update(canonical_tables(relevant, {"campaign"}));
    hash.update(model_sha256).update(dataset_sha256);
    // A journal is only good for the chunks it was written for.
    hash.update(evaluation_layout());
    for (const Chunk& chunk : plan.chunks())
    {
        hash.update(fmt::format("{} {} {}\n", chunk.layer.value(), chunk.first.value(), chunk.count));
    }
    return hash.hex();
}

StageEnd run_inject(const Context& context)
{
    const Communicator& world = context.world;
    Campaign campaign{{{}, NumberFormat::fp32, Graph({1}), 0, {}, {}}, {}, {}, {}, {}, {}, nullptr};
    on_all(world, [&] { campaign = load_campaign(context); });
    bool current = false;
    const std::filesystem::path file = context.file("campaign.h5");
    on_root(context, [&] {
        current = output_is_current(context, file, campaign.stage_sha256, true);
        if (current) return StageEnd::complete;
        make_folder(context.out());
        return StageEnd::complete;
    });
    if (world.broadcast(current ? 1U : 0U) != 0) return StageEnd::complete;

    set_compute_threads(
        1);  // the evaluator runs whole groups of faults on its threads, not parts of operations
    std::unique_ptr<Evaluator> evaluator;
    on_all(world, [&] {
        EvaluationOptions options;
        options.mode = evaluation_mode(context.job.campaign.evaluation);
        options.tolerances = context.job.campaign.tolerances;
        options.memory_budget = static_cast<std::uint64_t>(context.job.campaign.memory_budget) << 20U;
        options.threads = context.threads;
        options.device = context.device;
        evaluator = std::make_unique<Evaluator>(campaign.network, campaign.images, options);
    });
    // Nothing old is discarded before it is known that the new can be computed.
    on_root(context, [&] {
        if (context.fresh)
        {
            remove_journal(context.file("journal"));
            std::filesystem::remove(file);
        }
        return StageEnd::complete;
    });
    JournalContent journal;
    on_all(world, [&] {
        journal = read_journal(context.file("journal"), campaign.stage_sha256, world.rank(), world.size());
    });
    const Golden& golden = evaluator->golden();
    log_info(
        "injecting {} faults into {} layers on {} images ({:.2f} % correct): {} rank(s), {}, {} thread(s) "
        "each",
        campaign.plan->size(), campaign.layers.size(), golden.images(),
        100.0 * static_cast<double>(golden.correct) / static_cast<double>(golden.images()), world.size(),
        to_string(context.device), context.threads);
    const Harvest harvest = inject(context, campaign, *evaluator, std::move(journal));
    if (harvest.missing > 0)
    {
        if (world.is_root())
        {
            log_warning("stopped by {}: {} of {} chunks are left; run the same command{} to go on",
                        harvest.stop_reason, harvest.missing, campaign.plan->chunks().size(),
                        context.fresh ? " without --fresh" : "");
        }
        return StageEnd::stopped;
    }
    write_outcomes(context, campaign, golden, harvest);
    log_info("{}: {} faults, {} of them now in {:.1f} s ({:.0f} faults/s)", file.string(),
             campaign.plan->size(), harvest.faults, harvest.seconds,
             static_cast<double>(harvest.faults) / harvest.seconds);
    return StageEnd::complete;
}

}  // namespace flipstorm
