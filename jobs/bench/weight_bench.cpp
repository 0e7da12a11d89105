#include "jobs/bench/weight_bench.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <map>

#include "engine/base/durable_file.hpp"
#include "engine/base/log.hpp"
#include "engine/base/standard_output.hpp"
#include "engine/base/timing.hpp"
#include "engine/compute/torch/inference.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "jobs/bench/bench.hpp"
#include "jobs/bench/bench_print.hpp"
#include "jobs/campaign/kinds/weight_work.hpp"

namespace flipstorm
{
namespace
{

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

/// Starts a new measurement of the process's largest resident size, where the system lets it.
void reset_resident_peak()
{
    std::ofstream("/proc/self/clear_refs") << 5;
}

/// Largest resident size of the process since then, in bytes; 0 if unknown.
std::uint64_t resident_peak()
{
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word)
    {
        std::uint64_t kibibytes = 0;
        if (word == "VmHWM:" && status >> kibibytes) return kibibytes << 10U;
    }
    return 0;
}

/// Measures one mode.
class Measurement
{
  public:
    Measurement(const Context& context, const Campaign& campaign, EvaluationMode mode)
        : context_(context), campaign_(campaign), mode_(mode)
    {
        reset_resident_peak();
        const Stopwatch watch;
        evaluator_ =
            std::make_unique<Evaluator>(campaign.network, campaign.images, evaluation_options(context, mode));
        setup_seconds_ = watch.seconds();
    }

    /// The first call allocates, reads code and starts threads: not to be measured. Some images are enough.
    void warm_up()
    {
        for (const InjectableLayer& layer : campaign_.layers())
        {
            const std::vector<FaultIndex> faults =
                bench_faults(campaign_.plan(), layer.id, 1, context_.job.job.seed);
            if (faults.empty()) continue;
            int asked = 0;
            static_cast<void>(evaluator_->evaluate(layer.id, {change_of(campaign_, faults.front())},
                                                   screen_of(layer), [&asked] { return asked++ > 0; }));
            return;
        }
    }

    /// `count` faults of every layer; of as many layers as `seconds` allow, one at least.
    ModeBench run(std::uint64_t count, double seconds)
    {
        ModeBench bench;
        bench.mode = mode_;
        bench.setup_seconds = setup_seconds_;
        bench.layers.resize(campaign_.layers().size());
        const Stopwatch watch;
        for (const std::size_t l : spread_order(campaign_.layers().size()))
        {
            if (bench.faults() > 0 && watch.seconds() > seconds) break;
            bench.layers[l] = run_layer(campaign_.layers()[l], count);
        }
        bench.peak_bytes = evaluator_->work().peak_bytes;
        bench.resident_bytes = resident_peak();
        return bench;
    }

  private:
    LayerBench run_layer(const InjectableLayer& layer, std::uint64_t count)
    {
        LayerBench bench;
        const std::vector<FaultIndex> faults =
            bench_faults(campaign_.plan(), layer.id, count, context_.job.job.seed);
        if (faults.empty()) return bench;
        bench.chunk = chunk_faults(campaign_.plan(), layer.id);
        const Screen screen = screen_of(layer);
        // A change to the value that is there never stops, so that what all faults share is done for all
        // images.
        const StoredTensor golden = struck_tensor(campaign_.network, layer);
        const WeightChange nothing{0, golden.values().front(), campaign_.plan().size(), golden.word(0)};
        const bool passes = mode_ != EvaluationMode::reference;
        const WorkCount before = evaluator_->work();
        const Stopwatch watch;
        for (std::size_t first = 0; first < faults.size(); first += bench.chunk)
        {
            std::vector<WeightChange> changes;
            for (std::size_t k = first; k < std::min<std::size_t>(first + bench.chunk, faults.size()); ++k)
                changes.push_back(change_of(campaign_, faults[k]));
            if (passes) changes.push_back(nothing);
            std::vector<Outcome> outcomes = evaluate(layer, changes, screen);
            if (passes) outcomes.pop_back();
            bench.outcomes.insert(bench.outcomes.end(), outcomes.begin(), outcomes.end());
            if (first > 0) continue;
            const WorkCount now = evaluator_->work();
            bench.shared_seconds = now.pass_seconds - before.pass_seconds;
            bench.repeated_seconds = bench.shared_seconds - (now.kept_seconds - before.kept_seconds);
        }
        bench.seconds = watch.seconds();
        const WorkCount after = evaluator_->work();
        const std::uint64_t chunks = (faults.size() + bench.chunk - 1) / bench.chunk;
        const std::uint64_t no_faults =
            passes ? chunks * static_cast<std::uint64_t>(campaign_.images.size()) : 0;
        bench.work.pairs = after.pairs - before.pairs - no_faults;
        bench.work.stopped = after.stopped - before.stopped;
        bench.work.masked = after.masked - before.masked - no_faults;
        bench.work.proven = after.proven - before.proven;
        bench.work.screened = after.screened - before.screened;
        bench.work.rescreened = after.rescreened - before.rescreened;
        bench.work.finished = after.finished - before.finished;
        bench.work.macs = after.macs - before.macs;
        bench.work.pass_macs = after.pass_macs - before.pass_macs;
        return bench;
    }

    std::vector<Outcome> evaluate(const InjectableLayer& layer, const std::vector<WeightChange>& changes,
                                  const Screen& screen)
    {
        auto outcomes =
            evaluator_->evaluate(layer.id, changes, screen, [this] { return context_.stop->asked(); });
        if (!outcomes) throw Stopped();
        return std::move(*outcomes);
    }

    /// The screen with which the campaign starts the layer. Where the campaign is too small for it, as if it
    /// were not.
    [[nodiscard]] Screen screen_of(const InjectableLayer& layer) const
    {
        const ScreenPolicy policy = screen_policy(context_.job);
        const double share =
            first_audit_share(policy, campaign_.work[static_cast<std::size_t>(layer.id.value())].pairs);
        return {policy.kappa, policy.tau, share < 1 ? share : policy.audit_share};
    }

    const Context& context_;
    const Campaign& campaign_;
    EvaluationMode mode_;
    std::unique_ptr<Evaluator> evaluator_;
    double setup_seconds_ = 0;
};

/// A mode with as many faults per layer as its time allows, at least `least`.
ModeBench bench_mode(const Context& context, const Campaign& campaign, EvaluationMode mode,
                     std::uint64_t least)
{
    const BenchOptions& options = context.bench;
    Measurement measurement(context, campaign, mode);
    measurement.warm_up();
    // In `reference` every fault costs the same. In `exact` it costs anything between nothing and the whole
    // network, and in `screened` what the faults of a layer share outweighs a few of them: one fault alone
    // would not show what the next one costs.
    const std::map<EvaluationMode, std::uint64_t> few = {
        {EvaluationMode::reference, 1}, {EvaluationMode::exact, 4}, {EvaluationMode::screened, 64}};
    std::uint64_t count = std::min(std::max(least, few.at(mode)), options.faults);
    while (true)
    {
        // One fault per layer in reference may be more than the time allows: its cost is that of any layer.
        const bool pressed = mode == EvaluationMode::reference && count == 1;
        ModeBench bench = measurement.run(count, pressed ? options.seconds : kUnlimited);
        // What the faults take beside the shared passes decides how many there are time for.
        const std::uint64_t next =
            next_count(count, bench.seconds() - bench.shared_seconds(), options.seconds, options.faults);
        log_info("{}: {} fault(s) per layer, {:.2f} s{}", to_string(mode), count, bench.seconds(),
                 next > count ? "; more fit the time" : "");
        if (next == count) return bench;
        count = next;
    }
}

/// How many of the differing faults are explained by the rounding of the faulty network's logits.
std::uint64_t near_ties_of(const Context& context, const Campaign& campaign, const Agreement& agreement,
                           const ModeBench& mode, const ModeBench& against)
{
    constexpr std::size_t kMost = 200;  // each is an inference of all images
    std::uint64_t explained = 0;
    for (std::size_t i = 0; i < std::min(kMost, agreement.differing.size()); ++i)
    {
        const auto [l, k] = agreement.differing[i];
        const InjectableLayer& layer = campaign.layers()[l];
        const FaultIndex fault = bench_faults(campaign.plan(), layer.id, k + 1, context.job.job.seed).back();
        const WeightChange change = change_of(campaign, fault);
        Network faulty = campaign.network;
        set_struck_word(faulty, layer, change.parameter, change.word);
        const std::uint64_t ties = count_near_ties(logits_of(faulty, campaign.images, context.device),
                                                   static_cast<std::size_t>(campaign.network.num_classes));
        const Tally& a = mode.layers[l].outcomes[k].tally;
        const Tally& b = against.layers[l].outcomes[k].tally;
        const auto differ = [](std::uint32_t x, std::uint32_t y) { return x > y ? x - y : y - x; };
        if (a.evaluated == b.evaluated &&
            std::max(differ(a.correct, b.correct), differ(a.mismatches, b.mismatches)) <= ties)
            ++explained;
    }
    return explained;
}

BenchSetting setting_of(const Context& context, const Campaign& campaign)
{
    BenchSetting setting;
    setting.job = context.job.job.name;
    setting.model = campaign.network.arch;
    setting.device = to_string(evaluation_options(context, EvaluationMode::exact).device);
    setting.backend = context.job.campaign.backend;
    setting.threads = context.threads;
    setting.images = static_cast<std::uint64_t>(campaign.images.size());
    setting.memory_budget = static_cast<std::uint64_t>(context.job.campaign.memory_budget) << 20U;
    setting.peak = measure_peak(context.threads);
    const ScreenPolicy policy = screen_policy(context.job);
    for (std::size_t l = 0; l < campaign.layers().size(); ++l)
    {
        setting.layers.push_back(campaign.layers()[l].name);
        setting.plan_faults.push_back(campaign.work[l].faults);
        if (campaign.work[l].faults > 0 && first_audit_share(policy, campaign.work[l].pairs) == 1)
            setting.too_small.push_back(campaign.layers()[l].name);
        setting.chunk_faults.push_back(chunk_faults(campaign.plan(), campaign.layers()[l].id));
    }
    return setting;
}

/// What the journal costs the fastest mode on the file system of the out folder, or of where it would be
/// made.
std::optional<JournalCost> journal_cost(const Context& context, const BenchSetting& setting,
                                        const std::vector<ModeBench>& modes)
{
    std::filesystem::path folder = std::filesystem::absolute(context.out());
    while (!std::filesystem::exists(folder))
        folder = folder.parent_path();
    try
    {
        return measure_journal_cost(folder, modes.back(), setting.plan_faults, setting.chunk_faults,
                                    context.job.campaign.journal_seconds);
    }
    catch (const FileError& error)
    {
        log_warning("the cost of the journal is not measured: {}", error.what());
        return std::nullopt;
    }
}

}  // namespace

StageEnd run_weight_bench(const Context& context, const Campaign& campaign,
                          const std::vector<EvaluationMode>& kinds, const StopRequest& stop)
{
    BenchSetting setting = setting_of(context, campaign);
    log_info(
        "benchmark of {} on {} images, {} of {} layers with faults, {}, {} thread(s); peak {:.1f} GFLOP/s",
        setting.model, setting.images,
        std::count_if(setting.plan_faults.begin(), setting.plan_faults.end(),
                      [](std::uint64_t faults) { return faults > 0; }),
        setting.layers.size(), setting.device, setting.threads, setting.peak.flops / 1e9);
    std::vector<ModeBench> modes;
    std::vector<Agreement> agreements;
    for (const EvaluationMode kind : kinds)
    {
        std::uint64_t least = 0;
        for (const LayerBench& layer : modes.empty() ? std::vector<LayerBench>{} : modes.back().layers)
            least = std::max(least, layer.faults());
        modes.push_back(bench_mode(context, campaign, kind, least));
    }
    for (std::size_t a = 0; a < modes.size(); ++a)
    {
        for (std::size_t b = 0; b < a; ++b)
        {
            stop_if_asked(stop);
            Agreement agreement = compare(modes[a], modes[b], context.job.campaign.tolerances);
            agreement.near_ties = near_ties_of(context, campaign, agreement, modes[a], modes[b]);
            agreements.push_back(std::move(agreement));
        }
    }
    stop_if_asked(stop);
    setting.journal = journal_cost(context, setting, modes);
    for (const ResultTable& table : bench_tables(setting, modes, agreements))
        print_result("{}\n", render_text(table));
    if (setting.journal) print_result("{}\n", describe(*setting.journal));
    flush_output();
    if (!context.bench.json.empty())
        write_file_durably(context.bench.json, bench_json(setting, modes, agreements));
    return StageEnd::complete;
}

}  // namespace flipstorm
