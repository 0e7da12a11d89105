#include "jobs/cost/calibration.hpp"

#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "engine/base/error.hpp"
#include "engine/base/peak_flops.hpp"
#include "engine/base/stop_request.hpp"
#include "engine/base/timing.hpp"
#include "engine/compute/device.hpp"
#include "engine/evaluate/image_batches.hpp"
#include "jobs/bench/bench.hpp"
#include "jobs/campaign/kinds/weight_work.hpp"
#include "jobs/resolve/plan_options.hpp"

namespace flipstorm
{
namespace
{

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

/// A round of the measurement.
struct Round
{
    std::uint64_t images = 0;
    std::uint64_t faults = 0;  ///< per layer and class
};

/// Many faults on few images: a few dear faults make most of the cost of a class, on any image.
constexpr Round kRounds[] = {{25, 4},    {50, 8},    {100, 16},  {200, 24},   {400, 32},
                             {1000, 48}, {2000, 64}, {5000, 64}, {10000, 64}, {50000, 64}};

/// How fast a mode is where it was measured (tests/RESULTS.md), as a share of the processor's peak.
double usual_share(EvaluationMode mode)
{
    switch (mode)
    {
        case EvaluationMode::reference:
            return 0.5;
        case EvaluationMode::exact:
            return 0.15;
        case EvaluationMode::screened:
            return 0.06;
    }
    throw Error("an evaluation mode without a usual speed");
}

std::uint64_t resident_bytes()
{
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word)
    {
        std::uint64_t kibibytes = 0;
        if (word == "VmRSS:" && status >> kibibytes) return kibibytes << 10U;
    }
    return 0;
}

/// Seconds of work. On a CPU those that the process got: a machine that others use, too, does not matter.
class WorkWatch
{
  public:
    explicit WorkWatch(bool cuda) : cuda_(cuda) {}

    [[nodiscard]] double seconds() const
    {
        return cuda_ ? wall_.seconds()
                     : static_cast<double>(std::clock() - start_) / static_cast<double>(CLOCKS_PER_SEC);
    }

  private:
    bool cuda_;
    Stopwatch wall_;
    std::clock_t start_ = std::clock();
};

/// Seconds of a round by what they grow with.
struct RoundTime
{
    double setup = 0;
    double shared = 0;
    double faults = 0;

    /// Seconds that another round would take.
    [[nodiscard]] double scaled(const Round& from, const Round& to) const
    {
        const double images = static_cast<double>(to.images) / static_cast<double>(from.images);
        const double count = static_cast<double>(to.faults) / static_cast<double>(from.faults);
        return images * (setup + shared + faults * count);
    }
};

class Measurement
{
  public:
    Measurement(const Context& context, const Campaign& campaign, const BitClasses& classes, double seconds)
        : campaign_(campaign),
          classes_(classes),
          options_(evaluation_options(context, evaluation_mode(context.job.campaign.evaluation))),
          tolerance_(options_.tolerances.back()),
          seed_(context.job.job.seed),
          budget_(seconds),
          stop_(context.stop)
    {
        options_.tolerances = {1};  // nothing exceeds it: every image counts, and the stop is worked out
        if (!options_.device.cuda) options_.threads = 1;
        costs_.resize(campaign.layers().size());
        for (LayerCost& cost : costs_)
            cost = {kUnknown, std::vector<double>(classes.size(), kUnknown)};
        audits_.assign(costs_.size(), {kUnknown, std::vector<double>(classes.size(), 0)});
    }

    /// An evaluator of so few images that nothing but its construction takes time.
    [[nodiscard]] std::unique_ptr<Evaluator> smallest() const { return evaluator(1, options_.memory_budget); }

    /// Fills in costs and start-up time.
    void run(Calibration& result)
    {
        const auto all = static_cast<std::uint64_t>(campaign_.images.size());
        double constant = 0;
        std::uint64_t most_images = all;
        {
            const WorkWatch first = work_watch();
            const std::unique_ptr<Evaluator> small = smallest();
            constant = first.seconds();
            most_images = images_in_memory(*small, all);
        }
        // Prepared tiles are to stay while the classes of a layer take their turns.
        budget_bytes_ = 2 * options_.memory_budget;
        Round done;
        while (true)
        {
            const std::optional<Round> next = next_round(done, most_images);
            if (!next) break;
            const bool warm_up = done.images == 0;
            const double setup = run_round(*next, warm_up);
            done = *next;
            result.images = done.images;
            result.faults = faults_;
            const double image = std::max(0.0, setup - constant) / golden_images(done.images);
            result.golden = image * static_cast<double>(all);
            result.start = constant + image * golden_images(all) - result.golden;
            if (interrupted_) break;
        }
        result.seconds = watch_.seconds();
    }

    /// By layer, with the audits; NaN where nothing was measured.
    [[nodiscard]] std::vector<LayerCost> costs() const
    {
        double seconds = 0;
        double macs = 0;
        for (std::size_t l = 0; l < costs_.size(); ++l)
        {
            if (std::isnan(audits_[l].pair_seconds)) continue;
            seconds += audits_[l].pair_seconds;
            macs += static_cast<double>(campaign_.layers()[l].suffix_macs);
        }
        std::vector<LayerCost> costs = costs_;
        for (std::size_t l = 0; l < costs_.size(); ++l)
        {
            double pair_seconds = audits_[l].pair_seconds;
            if (std::isnan(pair_seconds))
                pair_seconds =
                    seconds / std::max(macs, 1.0) * static_cast<double>(campaign_.layers()[l].suffix_macs);
            add_audits(costs[l], audits_[l].screened, screen_of(l).audit_share, pair_seconds,
                       static_cast<std::uint64_t>(campaign_.images.size()));
        }
        return costs;
    }

  private:
    [[nodiscard]] std::unique_ptr<Evaluator> evaluator(std::uint64_t images, std::uint64_t bytes) const
    {
        EvaluationOptions options = options_;
        options.memory_budget = bytes;
        return std::make_unique<Evaluator>(campaign_.network,
                                           campaign_.images.head(static_cast<std::int64_t>(images)), options);
    }

    /// Forward passes at the start: logits of all images and, for a screen, the values of the first 1,000.
    [[nodiscard]] double golden_images(std::uint64_t images) const
    {
        const std::uint64_t spread =
            options_.mode == EvaluationMode::screened ? std::min<std::uint64_t>(images, 1000) : 0;
        return static_cast<double>(images + spread);
    }

    /// The largest round for which there is time, after one that is done; none if that was the largest.
    [[nodiscard]] std::optional<Round> next_round(const Round& done, std::uint64_t most_images) const
    {
        std::optional<Round> best;
        for (Round round : kRounds)
        {
            round.images = std::min(round.images, most_images);
            if (done.images == 0) return round;
            if (round.images * round.faults <= done.images * done.faults) continue;
            const bool fits = watch_.seconds() + slowdown_ * time_.scaled(done, round) < 0.9 * budget_;
            if (fits) best = round;
        }
        return best;
    }

    /// Images whose prepared tiles all fit into memory, at least one tile.
    [[nodiscard]] std::uint64_t images_in_memory(const Evaluator& small, std::uint64_t all) const
    {
        std::uint64_t images = all;
        for (const InjectableLayer& layer : campaign_.layers())
        {
            const LayerMemory memory = small.memory(layer.id, all, options_.threads);
            images = std::min(images, std::max<std::uint64_t>(memory.kept, 1) * memory.tile_images);
        }
        return images;
    }

    /// \return seconds until the evaluator was ready
    double run_round(const Round& round, bool warm_up)
    {
        const Stopwatch wall;
        const WorkWatch setup = work_watch();
        const std::unique_ptr<Evaluator> evaluator_of_round = evaluator(round.images, budget_bytes_);
        Evaluator& evaluator = *evaluator_of_round;
        time_ = {setup.seconds(), 0, 0};
        faults_ = 0;
        const double golden = static_cast<double>(evaluator.golden().correct) /
                              static_cast<double>(evaluator.golden().images());
        const std::vector<std::size_t> order = spread_order(campaign_.layers().size());
        // The first call starts threads and reads code: not to be measured. The last layer is forgotten
        // again.
        if (warm_up) static_cast<void>(shared_seconds(evaluator, order.back()));
        for (const std::size_t l : order)
        {
            if (campaign_.work[l].faults == 0) continue;
            if (out_of_time()) interrupted_ = true;
            if (interrupted_) break;
            measure_layer(evaluator, l, round, golden);
        }
        slowdown_ = std::max(1.0, wall.seconds() / std::max(1e-6, time_.scaled(round, round)));
        return time_.setup;
    }

    [[nodiscard]] WorkWatch work_watch() const { return WorkWatch(options_.device.cuda); }

    /// Something has to be measured, however long it takes.
    [[nodiscard]] bool out_of_time(double factor = 1) const
    {
        return measured_ && watch_.seconds() > factor * budget_;
    }

    [[nodiscard]] Screen screen_of(std::size_t l) const
    {
        return screening_of(campaign_.policy, campaign_.work[l], {}).screen;
    }

    /// What the faults of a chunk share. Unknown if it takes too long.
    double shared_seconds(Evaluator& evaluator, std::size_t l) const
    {
        if (options_.mode == EvaluationMode::reference) return 0;
        const InjectableLayer& layer = campaign_.layers()[l];
        // A change to the value that is there changes nothing: what takes time is what all share.
        const float value = campaign_.network.parameters[layer.weight].values().front();
        const WorkWatch watch = work_watch();
        const bool done = evaluate(evaluator, l, {{0, value, campaign_.plan().size()}}).has_value();
        return done ? watch.seconds() : kUnknown;
    }

    [[nodiscard]] bool asked_to_stop() const { return stop_ != nullptr && stop_->asked(); }

    std::optional<std::vector<Outcome>> evaluate(Evaluator& evaluator, std::size_t l,
                                                 const std::vector<WeightChange>& changes) const
    {
        Screen screen = screen_of(l);
        screen.audit_share = 0;
        auto outcomes = evaluator.evaluate(campaign_.layers()[l].id, changes, screen,
                                           [this] { return out_of_time(2) || asked_to_stop(); });
        if (asked_to_stop()) throw Stopped();
        return outcomes;
    }

    void measure_layer(Evaluator& evaluator, std::size_t l, const Round& round, double golden)
    {
        const double shared = shared_seconds(evaluator, l);
        if (std::isnan(shared)) return;
        time_.shared += shared;
        const LayerMemory memory = evaluator.memory(campaign_.layers()[l].id, round.images, options_.threads);
        const double again =
            shared * static_cast<double>(memory.tiles - memory.kept) / static_cast<double>(memory.tiles);
        const std::vector<std::vector<WeightChange>> changes = changes_of(l, round.faults);
        std::vector<ClassSample> samples(changes.size());
        for (std::size_t c = 0; c < changes.size(); ++c)
        {
            if (changes[c].empty()) continue;
            const std::uint64_t finished_before = evaluator.work().finished;
            const WorkWatch watch = work_watch();
            auto outcomes = evaluate(evaluator, l, changes[c]);
            const double seconds = watch.seconds();
            if (!outcomes) return;
            time_.faults += seconds;
            faults_ += outcomes->size();
            samples[c] = {std::max(seconds - again, seconds / 20), std::move(*outcomes),
                          evaluator.work().finished - finished_before};
        }
        keep(l, round, golden, shared, samples);
        measured_ = true;
    }

    /// What a layer's samples say about a campaign on all images.
    void keep(std::size_t l, const Round& round, double golden, double shared,
              const std::vector<ClassSample>& samples)
    {
        const auto all = static_cast<std::uint64_t>(campaign_.images.size());
        costs_[l].shared = shared * static_cast<double>(all) / static_cast<double>(round.images);
        audits_[l].pair_seconds = seconds_per_finished_pair(samples, round.images);
        for (std::size_t c = 0; c < samples.size(); ++c)
        {
            if (samples[c].outcomes.empty()) continue;
            costs_[l].faults[c] = seconds_of_fault(samples[c], round.images, golden, tolerance_, all);
            audits_[l].screened[c] = samples[c].screened(round.images);
        }
    }

    /// Up to `count` of the plan's faults of a layer by class, at random.
    [[nodiscard]] std::vector<std::vector<WeightChange>> changes_of(std::size_t l, std::uint64_t count) const
    {
        constexpr std::uint64_t kTries = 200;  // a class is 1/32 of the faults, or more
        std::vector<std::vector<WeightChange>> samples(classes_.size());
        for (const FaultIndex fault :
             bench_faults(campaign_.plan(), campaign_.layers()[l].id, kTries * count, seed_))
        {
            const auto bit = static_cast<std::size_t>(campaign_.plan().fault(fault).bit);
            std::vector<WeightChange>& sample = samples[classes_.of_bit.at(bit)];
            if (sample.size() < count) sample.push_back(change_of(campaign_, fault));
        }
        return samples;
    }

    /// What the audits of a layer will cost.
    struct Audits
    {
        double pair_seconds = kUnknown;
        std::vector<double> screened;  ///< share of the pairs, by class
    };

    const Campaign& campaign_;
    const BitClasses& classes_;
    EvaluationOptions options_;
    double tolerance_;
    std::uint64_t seed_;
    double budget_;
    StopConditions* stop_;  ///< may be null
    std::uint64_t budget_bytes_ = 0;
    Stopwatch watch_;
    RoundTime time_;
    double slowdown_ = 1;  ///< seconds that pass while the process works for one
    std::uint64_t faults_ = 0;
    bool measured_ = false;
    bool interrupted_ = false;
    std::vector<LayerCost> costs_;
    std::vector<Audits> audits_;  ///< by layer
};

/// Memory of a rank. An evaluator is there, of so few images that the process holds what it keeps in any
/// campaign (however many copies of the parameters that are) and nothing else.
RankMemory memory_of_rank(const Context& context, const Campaign& campaign,
                          const std::vector<LayerMemory>& layers)
{
    const EvaluationOptions options =
        evaluation_options(context, evaluation_mode(context.job.campaign.evaluation));
    RankMemory memory;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    memory.standing = resident_bytes();
    for (const Parameter& parameter : campaign.network.parameters)
        memory.parameters += parameter.values().size() * sizeof(float);
    memory.start = start_bytes(campaign.network.graph, options.mode,
                               static_cast<std::uint64_t>(campaign.images.size()), options.threads);
    memory.layer = layers.at(largest_layer(layers));
    memory.on_host = !options.device.cuda;
    return memory;
}

/// Count the cells that the plan has, and those of them that were not measured.
void count_cells(Calibration& result, const Campaign& campaign, const std::vector<LayerCost>& costs)
{
    std::vector<std::vector<char>> planned(campaign.layers().size());
    for (std::vector<char>& layer : planned)
        layer.assign(result.model.classes.size(), 0);
    for (const Plan::Draw& draw : campaign.plan().draws())
    {
        const std::int32_t bit = campaign.plan().strata()[static_cast<std::size_t>(draw.stratum.value())].bit;
        std::vector<char>& layer = planned[static_cast<std::size_t>(draw.layer.value())];
        if (bit < 0)
            std::fill(layer.begin(), layer.end(), 1);
        else
            layer[result.model.classes.of_bit.at(static_cast<std::size_t>(bit))] = 1;
    }
    for (std::size_t l = 0; l < planned.size(); ++l)
    {
        for (std::size_t c = 0; c < planned[l].size(); ++c)
        {
            if (planned[l][c] == 0) continue;
            ++result.cells;
            result.missing += std::isnan(costs[l].faults[c]) ? 1U : 0U;
        }
    }
}

}  // namespace

Calibration calibrate(const Context& context, const Campaign& campaign, double seconds)
{
    Calibration result;
    CostModel& model = result.model;
    model.classes = bit_classes(campaign.network.format);
    set_compute_threads(1);
    const auto images = static_cast<std::uint64_t>(campaign.images.size());
    Measurement measurement(context, campaign, model.classes, seconds);
    constexpr double kPeakSeconds = 0.2;
    result.peak = measure_peak(1, kPeakSeconds).flops;
    if (!context.device.cuda && context.threads > 1)
    {
        const double together = measure_peak(context.threads, kPeakSeconds).flops;
        model.threads = {context.threads, std::max(1.0, together / result.peak)};
    }
    {
        const std::unique_ptr<Evaluator> small = measurement.smallest();
        for (const InjectableLayer& layer : campaign.layers())
            model.memory.push_back(small->memory(layer.id, images, context.threads));
        result.memory = memory_of_rank(context, campaign, model.memory);
    }
    if (seconds > 0)
    {
        measurement.run(result);
        model.layers = measurement.costs();
        count_cells(result, campaign, model.layers);
        fill_gaps(model.layers, campaign.layers(), model.classes);
        result.start /= model.threads.of(static_cast<std::uint64_t>(context.threads));
        result.golden /= model.threads.of(static_cast<std::uint64_t>(context.threads));
    }
    else
    {
        const EvaluationMode mode = evaluation_mode(context.job.campaign.evaluation);
        result.share_of_peak = usual_share(mode);
        const double macs = result.share_of_peak * result.peak / 2;
        model.layers = costs_by_macs(campaign.layers(), model.classes,
                                     plan_options(context.job, campaign.network.format, images), macs);
        double network_macs = 0;
        for (std::size_t i = 0; i < campaign.network.graph.nodes().size(); ++i)
            network_macs +=
                static_cast<double>(campaign.network.graph.macs(NodeId(static_cast<std::int32_t>(i))));
        const double forward = usual_share(EvaluationMode::reference) * result.peak / 2;
        result.golden = network_macs * static_cast<double>(images) / forward /
                        model.threads.of(static_cast<std::uint64_t>(context.threads));
    }
    return result;
}

}  // namespace flipstorm
