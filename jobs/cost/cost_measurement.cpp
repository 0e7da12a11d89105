#include "jobs/cost/cost_measurement.hpp"

#include <algorithm>
#include <cmath>

#include "engine/compute/batch_size.hpp"
#include "jobs/bench/bench.hpp"
#include "jobs/cost/work_watch.hpp"
#include "jobs/resolve/plan_options.hpp"

namespace flipstorm
{
namespace
{

/// Many faults on few images: a few dear faults make most of the cost of a class, on any image.
constexpr MeasurementRound kRounds[] = {{25, 4},    {50, 8},    {100, 16},  {200, 24},   {400, 32},
                                        {1000, 48}, {2000, 64}, {5000, 64}, {10000, 64}, {50000, 64}};

/// Of the evaluators of a measurement. Nothing exceeds the tolerance: every image counts, and the stop is
/// worked out.
EvaluationOptions measurement_options(EvaluationOptions options)
{
    options.tolerances = {1};
    if (!options.device.cuda) options.threads = 1;
    return options;
}

}  // namespace

double RoundTime::scaled(const MeasurementRound& from, const MeasurementRound& to) const
{
    const double images = static_cast<double>(to.images) / static_cast<double>(from.images);
    const double count = static_cast<double>(to.faults) / static_cast<double>(from.faults);
    return images * (setup + shared + faults * count);
}

CostMeasurement::CostMeasurement(const Context& context, const Campaign& campaign,
                                 const std::vector<BitClasses>& classes, double seconds)
    : campaign_(campaign),
      options_(evaluation_options(context, evaluation_mode(context.job.campaign.evaluation))),
      tolerance_(options_.tolerances.back()),
      budget_(seconds),
      probe_(campaign, classes, measurement_options(options_), context.job.job.seed, context.stop,
             [this] { return out_of_time(2); })
{
    options_ = measurement_options(options_);
    for (const BitClasses& of_layer : classes)
    {
        costs_.push_back({kUnknownSeconds, std::vector<double>(of_layer.size(), kUnknownSeconds)});
        audits_.push_back({kUnknownSeconds, std::vector<double>(of_layer.size(), 0)});
    }
}

void CostMeasurement::run(Calibration& result)
{
    const std::uint64_t all = all_images();
    double constant = 0;
    std::uint64_t most_images = all;
    {
        const WorkWatch first(options_.device.cuda);
        const std::unique_ptr<Evaluator> small = smallest();
        constant = first.seconds();
        most_images = images_in_memory(*small, all);
    }
    // Prepared tiles are to stay while the classes of a layer take their turns.
    budget_bytes_ = 2 * options_.memory_budget;
    MeasurementRound done;
    while (true)
    {
        const std::optional<MeasurementRound> next = next_round(done, most_images);
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

std::vector<LayerCost> CostMeasurement::costs() const
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
        add_audits(costs[l], audits_[l].screened, probe_.screen_of(l).audit_share, pair_seconds,
                   all_images());
    }
    return costs;
}

std::unique_ptr<Evaluator> CostMeasurement::evaluator(std::uint64_t images, std::uint64_t bytes) const
{
    EvaluationOptions options = options_;
    options.memory_budget = bytes;
    return std::make_unique<Evaluator>(campaign_.network,
                                       campaign_.images.head(static_cast<std::int64_t>(images)), options);
}

double CostMeasurement::golden_images(std::uint64_t images) const
{
    const std::uint64_t spread =
        options_.mode == EvaluationMode::screened ? std::min<std::uint64_t>(images, kSpreadImages) : 0;
    return static_cast<double>(images + spread);
}

std::optional<MeasurementRound> CostMeasurement::next_round(const MeasurementRound& done,
                                                            std::uint64_t most_images) const
{
    std::optional<MeasurementRound> best;
    for (MeasurementRound round : kRounds)
    {
        round.images = std::min(round.images, most_images);
        if (done.images == 0) return round;
        if (round.images * round.faults <= done.images * done.faults) continue;
        const bool fits = watch_.seconds() + slowdown_ * time_.scaled(done, round) < 0.9 * budget_;
        if (fits) best = round;
    }
    return best;
}

std::uint64_t CostMeasurement::images_in_memory(const Evaluator& small, std::uint64_t all) const
{
    std::uint64_t images = all;
    for (const InjectableLayer& layer : campaign_.layers())
    {
        const LayerMemory memory = small.memory(layer.id, all, options_.threads);
        images = std::min(images, std::max<std::uint64_t>(memory.kept, 1) * memory.tile_images);
    }
    return images;
}

double CostMeasurement::run_round(const MeasurementRound& round, bool warm_up)
{
    const Stopwatch wall;
    const WorkWatch setup(options_.device.cuda);
    const std::unique_ptr<Evaluator> evaluator_of_round = evaluator(round.images, budget_bytes_);
    Evaluator& evaluator = *evaluator_of_round;
    time_ = {setup.seconds(), 0, 0};
    faults_ = 0;
    const double golden =
        static_cast<double>(evaluator.golden().correct) / static_cast<double>(evaluator.golden().images());
    const std::vector<std::size_t> order = spread_order(campaign_.layers().size());
    // The first call starts threads and reads code: not to be measured. The last layer is forgotten
    // again.
    if (warm_up) static_cast<void>(probe_.shared_seconds(evaluator, order.back()));
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

void CostMeasurement::measure_layer(Evaluator& evaluator, std::size_t layer, const MeasurementRound& round,
                                    double golden)
{
    const LayerSamples samples = probe_.measure(evaluator, layer, round.images, round.faults);
    if (std::isnan(samples.shared)) return;
    time_.shared += samples.shared;
    time_.faults += samples.seconds;
    faults_ += samples.faults;
    if (!samples.complete) return;
    keep(layer, round.images, golden, samples);
    measured_ = true;
}

void CostMeasurement::keep(std::size_t layer, std::uint64_t images, double golden,
                           const LayerSamples& samples)
{
    const std::uint64_t all = all_images();
    LayerCost& cost = costs_[layer];
    Audits& audits = audits_[layer];
    cost.shared = samples.shared * static_cast<double>(all) / static_cast<double>(images);
    audits.pair_seconds = seconds_per_finished_pair(samples.classes, images);
    for (std::size_t c = 0; c < samples.classes.size(); ++c)
    {
        const ClassSample& sample = samples.classes[c];
        if (sample.outcomes.empty()) continue;
        cost.faults[c] = seconds_of_fault(sample, images, golden, tolerance_, all);
        audits.screened[c] = sample.screened(images);
    }
}

}  // namespace flipstorm
