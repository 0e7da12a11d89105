// Stage `forest`: campaign.h5 → forest.h5. Fits do not depend on each other, so each rank takes the next one
// when it is free; rank 0 puts together what they make.

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "analysis/content_digest.hpp"
#include "analysis/python.hpp"
#include "analysis/tables.hpp"
#include "analysis/train_forest.hpp"
#include "analysis/validation.hpp"
#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/failure_text.hpp"
#include "engine/base/log.hpp"
#include "engine/base/program_name.hpp"
#include "engine/base/standard_output.hpp"
#include "engine/base/timing.hpp"
#include "engine/memory/word_fault.hpp"
#include "engine/network/depth.hpp"
#include "jobs/campaign/outdated_outcomes.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/resolve/stage_digest.hpp"
#include "jobs/resolve/stoppable.hpp"
#include "jobs/stages/forest_journal.hpp"
#include "jobs/stages/stages.hpp"
#include "mpi/agreed_error.hpp"
#include "mpi/chunk_queue.hpp"

namespace flipstorm
{
namespace
{

using Results = std::map<FitKey, FitResult>;

ForestOptions forest_options(const Context& context, StopRequest stop)
{
    const Job& job = context.job;
    ForestOptions options;
    options.kinds = job.forest.kind;
    options.sampling = job.forest.sampling;
    options.trees = static_cast<std::int32_t>(job.forest.trees);
    options.folds = static_cast<std::int32_t>(job.forest.folds);
    options.splits = static_cast<std::int32_t>(job.forest.splits);
    options.test_share = job.forest.test_share;
    options.tolerances = job.forest.tolerances;
    options.tolerance = job.harden.tolerance;
    options.max_missed = job.forest.max_missed;
    options.max_missed_confidence = job.forest.max_missed_confidence;
    options.seed = job.job.seed;
    options.threads = context.threads;
    options.stop = std::move(stop);
    return options;
}

/// What kind of layer it is, as the forest sees it.
std::int32_t layer_type(const Network& network, const InjectableLayer& layer)
{
    if (layer.kind != TensorKind::weights) return 2;
    return std::holds_alternative<LinearOp>(network.graph.node(layer.node).operation) ? 1 : 0;
}

/// The words of every layer that the campaign strikes, and where it stands.
std::vector<LayerWeights> struck_weights(const Context& context, const CampaignRecord& campaign)
{
    const StruckNetwork struck = struck_network(context, campaign.header);
    std::vector<LayerWeights> weights;
    const std::vector<std::int32_t> depth = weighted_depth(struck.network.graph);
    for (const InjectableLayer& layer : struck.layers)
    {
        StoredTensor words = struck_tensor(struck.network, layer);
        const SharedValues values = words.values();
        weights.push_back({layer.name, values, std::move(words), layer_type(struck.network, layer),
                           depth.at(static_cast<std::size_t>(layer.node.value()))});
    }
    return weights;
}

/// What the stage starts from.
struct Inputs
{
    CampaignRecord campaign;
    std::vector<LayerWeights> weights;  ///< on rank 0, and where features are made of them
    std::string stage_sha256;
};

/// Load the inputs on all ranks. \return null if forest.h5 is there and up to date. \collective
std::unique_ptr<Inputs> load_inputs(const Context& context)
{
    auto inputs = std::make_unique<Inputs>();
    bool current = false;
    on_root(context, [&] {
        need_input(context.campaign_file(), "inject");
        need_input(context.model_file(), "train");
        inputs->campaign = campaign_of(context);
        warn_if_outdated(context.campaign_file(), inputs->campaign);
        inputs->stage_sha256 = forest_digest(context.job, content_digest(inputs->campaign),
                                             inputs->campaign.header.provenance.model_sha256);
        current = output_is_current(context, context.file("forest.h5"), inputs->stage_sha256, false);
        if (current || context.fresh) remove_forest_journal(context.file(kForestJournal));
        if (current) return StageEnd::complete;
        make_folder(context.out());
        inputs->weights = struck_weights(context, inputs->campaign);
        return StageEnd::complete;
    });
    if (context.world.broadcast(current ? 1U : 0U) != 0) return nullptr;
    context.world.broadcast(inputs->stage_sha256);
    on_all(context.world, [&] {
        if (context.world.is_root()) return;
        inputs->campaign = campaign_of(context);
        if (!context.job.forest.features.empty()) inputs->weights = struck_weights(context, inputs->campaign);
    });
    return inputs;
}

/// The fits that no earlier run has kept, on all ranks; rank 0 has the others in `results`. \collective
std::vector<FitKey> missing_fits(const Context& context, const std::vector<FitKey>& fits,
                                 ForestJournal& journal, Results& results)
{
    std::string missing(fits.size(), '\1');
    on_root(context, [&] {
        for (std::size_t i = 0; i < fits.size(); ++i)
        {
            std::optional<FitResult> kept = journal.find(fits[i]);
            if (!kept) continue;
            results.emplace(fits[i], std::move(*kept));
            missing[i] = '\0';
        }
        if (journal.found() > 0)
            log_info("forest: {} fits were done already, by a run that was stopped", journal.found());
        return StageEnd::complete;
    });
    context.world.broadcast(missing);
    std::vector<FitKey> left;
    for (std::size_t i = 0; i < fits.size(); ++i)
    {
        if (missing[i] != '\0') left.push_back(fits[i]);
    }
    return left;
}

/// A line now and then of how far the fits are, on rank 0.
class FitProgress
{
  public:
    FitProgress(std::size_t fits, bool shown) : fits_(fits), shown_(shown) {}

    void show(std::uint64_t taken)
    {
        constexpr double kSeconds = 30;
        if (!shown_ || watch_.seconds() - last_ < kSeconds) return;
        last_ = watch_.seconds();
        log_info("forest: {} of {} fits begun", std::min<std::uint64_t>(taken, fits_), fits_);
    }

  private:
    std::size_t fits_;
    bool shown_;
    Stopwatch watch_;
    double last_ = 0;
};

/// A stop request that is another one in each part of the stage.
class ChangingRequest
{
  public:
    void become(StopRequest request) { *current_ = std::move(request); }
    [[nodiscard]] StopRequest request() const
    {
        return [current = current_] { return *current && (*current)(); };
    }

  private:
    std::shared_ptr<StopRequest> current_ = std::make_shared<StopRequest>();
};

/**
 * Do fits, each on the rank that is free, and keep them.
 *
 * \return whether all were done: none asked to stop. What this rank has done is in `results`. \collective
 */
bool do_fits(const Context& context, const StopConsequence& consequence, CampaignForests& forests,
             const std::vector<FitKey>& fits, ChangingRequest& stop, ForestJournal& journal,
             const Stopwatch& watch, Results& results)
{
    bool stopped = false;
    const auto work = [&](ChunkQueue& queue) {
        FitProgress progress(fits.size(), context.world.is_root());
        try
        {
            while (const std::optional<std::size_t> next = queue.next())
            {
                if (context.world.is_root()) progress.show(queue.state().items());
                const FitKey& key = fits[*next];
                FitResult result = naming_memory(
                    fmt::format("training forests of {} trees (forest.trees)", context.job.forest.trees),
                    [&] { return forests.fit(key); });
                journal.keep(key, result);
                results.emplace(key, std::move(result));
            }
        }
        catch (const Stopped&)
        {
            stopped = true;
        }
    };
    std::exception_ptr failure;
    {
        ChunkQueue queue(context.world, std::vector<QueueItem>(fits.size()));
        // Threads of a fit ask, too; only this one may speak to the other ranks.
        std::atomic<bool> ended{false};
        double looked = steady_seconds();
        stop.become([&, reasons = context.stop, caller = std::this_thread::get_id()] {
            if (std::this_thread::get_id() == caller)
            {
                queue.progress();
                if (steady_seconds() - looked >= 1)
                {
                    looked = steady_seconds();
                    ended = queue.stopped();
                }
            }
            if (ended) return true;
            return reasons != nullptr && reasons->asked();
        });
        // A rank that waits for the others has nothing to end: a stop that reaches it alone is told
        // afterwards.
        std::unique_ptr<StopWatchdog> watchdog = watch_work(context, consequence);
        try
        {
            work(queue);
            journal.flush_if_slow(watch.seconds());
        }
        catch (...)
        {
            failure = std::current_exception();
        }
        if (stopped || failure) queue.stop();
        watchdog.reset();
        stop.become({});
    }
    on_all(context.world, [&failure] {
        if (failure) std::rethrow_exception(failure);
    });
    return context.world.all_reduce(stopped ? std::uint64_t{1} : std::uint64_t{0}, Reduce::max) == 0;
}

/// Give rank 0 what the other ranks have done. \collective
void gather_results(const Context& context, const std::string& stage_sha256, Results& results)
{
    if (context.world.size() == 1) return;
    std::string own;
    if (!context.world.is_root())
    {
        for (const auto& [key, result] : results)
        {
            const std::string fit = encode_fit(stage_sha256, key, result);
            own += fmt::format("{:020}", fit.size()) + fit;
        }
        results.clear();
    }
    constexpr std::size_t kDigits = 20;
    for (const std::string& fits : context.world.gather(own))
    {
        for (std::size_t at = 0; at < fits.size();)
        {
            const std::size_t size = std::stoull(fits.substr(at, kDigits));
            KeptFit fit = decode_fit(std::string_view(fits).substr(at + kDigits, size));
            results.emplace(std::move(fit.key), std::move(fit.result));
            at += kDigits + size;
        }
    }
}

/// Put together what the fits make, on rank 0.
StageEnd write_results(const Context& context, const Inputs& inputs, const CampaignForests& forests,
                       Results& results, const Stopwatch& watch, const StopRequest& stop)
{
    const std::filesystem::path file = context.file("forest.h5");
    const Provenance& source = inputs.campaign.header.provenance;
    ForestRecord forest = naming(context.campaign_file(), [&] {
        return forests.assemble([&results](const FitKey& key) { return std::move(results.at(key)); },
                                inputs.weights);
    });
    forest.provenance =
        make_provenance(context, inputs.stage_sha256, source.model_sha256, source.dataset_sha256);
    stop_if_asked(stop);
    write_forest(file, forest);
    const auto trained = std::count_if(forest.tolerances.begin(), forest.tolerances.end(),
                                       [](const ToleranceRecord& row) { return row.trained; });
    log_info("{}: {} of {} tolerances trained, every bit of {} layers predicted, {:.1f} s", file.string(),
             trained, forest.tolerances.size(), forest.criticality.size(), watch.seconds());
    return StageEnd::complete;
}

/// Say which rank's reason ended the stage, on rank 0. \collective
StageEnd stopped_by(const Context& context, const std::string& consequence)
{
    const std::string reason = agreed_stop_reason(context);
    if (!reason.empty() && context.world.is_root()) log_warning("stopped by {}: {}", reason, consequence);
    return StageEnd::stopped;
}

/// Judge the map by the campaign that the job names for it, and print what it says, on rank 0.
StageEnd judge_map(const Context& context, const StopRequest& stop)
{
    const std::filesystem::path file = context.file("forest.h5");
    const std::filesystem::path judging = context.job.forest.validate_with;
    ForestRecord forest = read_forest(file);
    const CampaignRecord other = read_campaign(judging);
    stop_if_asked(stop);
    if (forest.validation.campaign_sha256 == other.header.provenance.stage_sha256)
    {
        log_info("{} is judged by {} already", file.string(), judging.string());
    }
    else
    {
        const CampaignRecord campaign = campaign_of(context);
        forest.validation = naming(judging, [&] { return validate_map(forest, campaign, other, stop); });
        stop_if_asked(stop);
        write_forest(file, forest);
    }
    print_result("{}\n", render_text(validation_table(forest)));
    return StageEnd::complete;
}

StageEnd make_forest(const Context& context, const StopConsequence& consequence)
{
    std::unique_ptr<StopWatchdog> start = watch_start(context);
    const std::unique_ptr<Inputs> inputs = load_inputs(context);
    if (inputs == nullptr) return StageEnd::complete;
    const Stopwatch watch;
    ForestJournal journal(context.file(kForestJournal), inputs->stage_sha256,
                          context.job.campaign.journal_seconds, steady_seconds);
    ChangingRequest stop;
    std::optional<CampaignForests> forests;
    on_all(context.world, [&] {
        naming(context.campaign_file(), [&] {
            const std::vector<std::string>& extra = context.job.forest.features;
            FaultFeatures features(extra, inputs->campaign.header.layers, inputs->weights);
            forests.emplace(inputs->campaign, forest_options(context, stop.request()), std::move(features));
        });
    });
    Results results;
    const std::vector<FitKey> missing = missing_fits(context, forests->fits(), journal, results);
    start.reset();

    const bool done = do_fits(context, consequence, *forests, missing, stop, journal, watch, results);
    if (!done)
    {
        on_all(context.world, [&] { journal.flush(); });
        return stopped_by(context, consequence.text);
    }
    gather_results(context, inputs->stage_sha256, results);
    const StageEnd end = on_root_until_stopped(context, consequence, [&](const StopRequest& request) {
        stop.become(request);
        const StageEnd written = write_results(context, *inputs, *forests, results, watch, request);
        journal.discard();
        return written;
    });
    if (end == StageEnd::complete) journal.forget();
    return end;
}

}  // namespace

StageEnd run_forest(const Context& context)
{
    need_memory(context, "forest");
    StopConsequence consequence;
    consequence.text = fmt::format("finished fits are kept; run the same command{} to go on",
                                   context.fresh ? " without --fresh" : "");
    FS_CHECK(AgreedError, context.validation_faults == 0,
             fmt::format("{} cannot inject the faults of --validate: it computes no networks; use 'flipstorm "
                         "forest --validate {}'",
                         program_name(), context.validation_faults),
             ExitCode::usage);
    StageEnd end = make_forest(context, consequence);
    if (end == StageEnd::complete && !context.job.forest.validate_with.empty())
    {
        end = on_root_until_stopped(context, consequence,
                                    [&](const StopRequest& stop) { return judge_map(context, stop); });
    }
    if (end != StageEnd::complete || context.export_to.empty()) return end;
    return on_root_until_stopped(context, {}, [&](const StopRequest& stop) {
        export_forest(context.file("forest.h5"), context.export_to, stop);
        log_info("{}: the forest as an ONNX model", context.export_to);
        return StageEnd::complete;
    });
}

}  // namespace flipstorm
