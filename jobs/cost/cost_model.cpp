#include "jobs/cost/cost_model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/base/error.hpp"
#include "jobs/campaign/outcome_codec.hpp"

namespace flipstorm
{
namespace
{

// Of campaign.h5, measured on LeNet-5's layer-wise campaign: 974 kB, 59,811 faults, 10,000 images.
constexpr double kFileBytes = 1.2e5;
constexpr double kImageBytes = 4.5;    // label, top-1, margin
constexpr double kSignBits = 1.3;      // of the columns that the faults' places decide
constexpr double kValueBits = 26;      // of a weight: sign and mantissa, and some bits of the exponent
constexpr double kDeflate = 1.05;      // compressed size over entropy
constexpr double kOutcomeBytes = 2.4;  // most faults do nothing

/// Chunk, level and length of an entry in a segment.
constexpr double kEntryBytes = 17;

const Plan::Draw& draw_at(const Plan& plan, std::uint64_t fault)
{
    const auto after =
        std::upper_bound(plan.draws().begin(), plan.draws().end(), fault,
                         [](std::uint64_t value, const Plan::Draw& draw) { return value < draw.first; });
    return *std::prev(after);
}

double mean_of(const std::vector<double>& values)
{
    double sum = 0;
    double count = 0;
    for (const double value : values)
    {
        if (std::isnan(value)) continue;
        sum += value;
        ++count;
    }
    return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
}

/// What each class of a layer costs beside the mean of the layer, over the layers of the same classes that
/// are known whole; else as a screen leaves.
std::vector<double> relative_costs(const std::vector<LayerCost>& costs,
                                   const std::vector<BitClasses>& classes, std::size_t layer)
{
    const BitClasses& own = classes.at(layer);
    std::vector<double> relative(own.size(), 0);
    double theirs = 0;
    for (std::size_t l = 0; l < costs.size(); ++l)
    {
        const std::vector<double>& faults = costs[l].faults;
        if (classes.at(l).names != own.names ||
            std::any_of(faults.begin(), faults.end(), [](double s) { return std::isnan(s); }))
            continue;
        for (std::size_t c = 0; c < own.size(); ++c)
            relative[c] += faults[c];
        theirs += mean_of(faults);
    }
    const double followed = mean_of(own.followed);
    for (std::size_t c = 0; c < own.size(); ++c)
        relative[c] = theirs > 0 ? relative[c] / theirs : own.followed[c] / followed;
    return relative;
}

}  // namespace

double ThreadSpeed::of(std::uint64_t busy) const
{
    const auto most = static_cast<std::uint64_t>(std::max(threads, 1));
    busy = std::clamp<std::uint64_t>(busy, 1, most);
    if (most == 1) return 1;
    return 1 + (speed - 1) * static_cast<double>(busy - 1) / static_cast<double>(most - 1);
}

std::vector<std::uint64_t> class_counts(const Plan& plan, const Chunk& chunk, const BitClasses& classes)
{
    std::vector<std::uint64_t> counts(classes.size(), 0);
    const std::uint64_t end = chunk.first.value() + chunk.count;
    for (std::uint64_t fault = chunk.first.value(); fault < end;)
    {
        const Plan::Draw& draw = draw_at(plan, fault);
        const std::uint64_t stop = std::min(end, draw.first + draw.count);
        const std::int32_t bit = plan.strata()[static_cast<std::size_t>(draw.stratum.value())].bit;
        if (bit >= 0)
        {
            counts[classes.of_bit.at(static_cast<std::size_t>(bit))] += stop - fault;
            fault = stop;
        }
        for (; fault < stop; ++fault)
            ++counts[classes.of_bit.at(static_cast<std::size_t>(plan.fault(FaultIndex(fault)).bit))];
    }
    return counts;
}

QueuedChunk cost_of(const CostModel& model, LayerId layer, const std::vector<std::uint64_t>& counts)
{
    const auto l = static_cast<std::size_t>(layer.value());
    const LayerCost& cost = model.layers.at(l);
    const LayerMemory& memory = model.memory.at(l);
    QueuedChunk chunk;
    chunk.layer = layer.value();
    chunk.shared = cost.shared / model.threads.of(memory.together);
    const double again = static_cast<double>(memory.tiles - std::min(memory.kept, memory.tiles)) /
                         static_cast<double>(std::max<std::uint64_t>(memory.tiles, 1));
    chunk.shared_again = chunk.shared * again;
    std::uint64_t faults = 0;
    for (std::size_t c = 0; c < counts.size(); ++c)
    {
        faults += counts[c];
        if (counts[c] > 0) chunk.own += static_cast<double>(counts[c]) * cost.faults.at(c);
    }
    const std::uint64_t group = std::max<std::uint64_t>(memory.group, 1);
    chunk.own /= model.threads.of(memory.together * ((faults + group - 1) / group));
    return chunk;
}

std::vector<QueuedChunk> queue_of(const Plan& plan, const CostModel& model)
{
    std::vector<QueuedChunk> queue;
    for (const ChunkId id : dearest_first(plan))
    {
        const Chunk& chunk = plan.chunks()[id.value()];
        const BitClasses& classes = model.classes.at(static_cast<std::size_t>(chunk.layer.value()));
        queue.push_back(cost_of(model, chunk.layer, class_counts(plan, chunk, classes)));
        queue.back().cost = chunk.macs;
    }
    return queue;
}

std::vector<LayerCost> costs_by_macs(const std::vector<InjectableLayer>& layers,
                                     const std::vector<BitClasses>& classes, const PlanOptions& options,
                                     double macs_per_second)
{
    const double image_seconds = static_cast<double>(options.images) / macs_per_second;
    std::int64_t network_macs = 0;
    for (const InjectableLayer& layer : layers)
        network_macs = std::max(network_macs, layer.suffix_macs);
    std::vector<LayerCost> costs;
    for (const InjectableLayer& layer : layers)
    {
        LayerCost cost;
        cost.shared = options.shared_passes * static_cast<double>(network_macs) * image_seconds;
        const BitClasses& own = classes.at(static_cast<std::size_t>(layer.id.value()));
        std::vector<double> share(own.size(), options.followed_share);
        for (std::size_t bit = 0; bit < own.of_bit.size(); ++bit)
            share[own.of_bit[bit]] = followed_share(options, layer, static_cast<std::int32_t>(bit));
        for (const double part : share)
            cost.faults.push_back(part * static_cast<double>(layer.suffix_macs) * image_seconds);
        costs.push_back(std::move(cost));
    }
    return costs;
}

double share_before_stop(double golden, double correct, double tolerance, std::uint64_t images)
{
    if (correct >= 1 || images == 0) return 1;
    const double share = (1 - golden) + (tolerance + correct * (1 - golden)) / (1 - correct);
    if (share >= 1) return 1;
    const auto all = static_cast<double>(images);
    const auto wave = static_cast<double>(kWaveImages);
    return std::min(1.0, std::ceil(share * all / wave) * wave / all);
}

double seconds_of_fault(const ClassSample& sample, std::uint64_t measured_images, double golden,
                        double tolerance, std::uint64_t images)
{
    // A pair that the screen takes costs a little, too.
    constexpr double kScreenedPair = 0.02;
    FS_REQUIRE(!sample.outcomes.empty() && measured_images > 0, "a sample without faults or images");
    const auto measured = static_cast<double>(measured_images);
    double weights = 0;
    double kept = 0;
    for (const Outcome& outcome : sample.outcomes)
    {
        const double screened =
            static_cast<double>(outcome.screen.screened) - static_cast<double>(outcome.screen.audited);
        const double weight = kScreenedPair * measured + (measured - screened);
        const double correct = static_cast<double>(outcome.tally.correct) / measured;
        weights += weight;
        kept += weight * share_before_stop(golden, correct, tolerance, images);
    }
    return sample.seconds / static_cast<double>(sample.outcomes.size()) * kept / weights *
           static_cast<double>(images) / measured;
}

double ClassSample::screened(std::uint64_t images) const
{
    double sum = 0;
    for (const Outcome& outcome : outcomes)
        sum += static_cast<double>(outcome.screen.screened);
    return outcomes.empty() ? 0 : sum / static_cast<double>(pairs(images));
}

double seconds_per_finished_pair(const std::vector<ClassSample>& samples, std::uint64_t images)
{
    double seconds = 0;
    double finished = 0;
    for (const ClassSample& sample : samples)
    {
        if (sample.finished == 0 || 5 * sample.finished < sample.pairs(images)) continue;
        seconds += sample.seconds;
        finished += static_cast<double>(sample.finished);
    }
    return finished > 0 ? seconds / finished : std::numeric_limits<double>::quiet_NaN();
}

void add_audits(LayerCost& cost, const std::vector<double>& screened, double share, double pair_seconds,
                std::uint64_t images)
{
    for (std::size_t c = 0; c < screened.size(); ++c)
        cost.faults.at(c) += share * screened[c] * pair_seconds * static_cast<double>(images);
}

void fill_gaps(std::vector<LayerCost>& costs, const std::vector<InjectableLayer>& layers,
               const std::vector<BitClasses>& classes)
{
    std::vector<std::vector<double>> all_relative;  // of the measured costs alone
    for (std::size_t l = 0; l < costs.size(); ++l)
        all_relative.push_back(relative_costs(costs, classes, l));
    double seconds = 0;
    double macs = 0;
    double shared = 0;
    double shared_known = 0;
    for (std::size_t l = 0; l < costs.size(); ++l)
    {
        const double mean = mean_of(costs[l].faults);
        if (!std::isnan(mean))
        {
            seconds += mean;
            macs += static_cast<double>(layers.at(l).suffix_macs);
        }
        if (std::isnan(costs[l].shared)) continue;
        shared += costs[l].shared;
        ++shared_known;
    }
    FS_REQUIRE(macs > 0 && shared_known > 0, "nothing was measured");
    for (std::size_t l = 0; l < costs.size(); ++l)
    {
        if (std::isnan(costs[l].shared)) costs[l].shared = shared / shared_known;
        const std::vector<double>& relative = all_relative[l];
        double measured = 0;
        double expected = 0;
        for (std::size_t c = 0; c < relative.size(); ++c)
        {
            if (std::isnan(costs[l].faults[c])) continue;
            measured += costs[l].faults[c];
            expected += relative[c];
        }
        const double mean =
            expected > 0
                ? measured / expected
                : seconds / macs * static_cast<double>(std::max<std::int64_t>(layers[l].suffix_macs, 1));
        for (std::size_t c = 0; c < relative.size(); ++c)
        {
            if (std::isnan(costs[l].faults[c])) costs[l].faults[c] = mean * relative[c];
        }
    }
}

std::uint64_t RankMemory::peak() const
{
    return standing + std::max({parameters, start, on_host ? layer.total() : 0});
}

std::size_t largest_layer(const std::vector<LayerMemory>& layers)
{
    FS_REQUIRE(!layers.empty(), "no layers");
    const auto largest =
        std::max_element(layers.begin(), layers.end(),
                         [](const LayerMemory& a, const LayerMemory& b) { return a.total() < b.total(); });
    return static_cast<std::size_t>(largest - layers.begin());
}

FileSizes file_sizes(const Plan& plan, const std::vector<InjectableLayer>& layers, std::uint64_t images)
{
    FileSizes sizes;
    const auto one = static_cast<double>(encode_outcomes(std::vector<Outcome>(1)).size());
    const double each = static_cast<double>(encode_outcomes(std::vector<Outcome>(2)).size()) - one;
    for (const Chunk& chunk : plan.chunks())
        sizes.journal += kEntryBytes + one + each * static_cast<double>(chunk.count - 1);
    sizes.campaign = kFileBytes + kImageBytes * static_cast<double>(images);
    for (const Plan::Draw& draw : plan.draws())
    {
        const InjectableLayer& layer = layers.at(static_cast<std::size_t>(draw.layer.value()));
        const bool any_bit = plan.strata()[static_cast<std::size_t>(draw.stratum.value())].bit < 0;
        const double bits = std::log2(static_cast<double>(layer.weights)) +
                            std::log2(static_cast<double>(layer.out_channels)) +
                            std::log2(static_cast<double>(layer.in_channels)) +
                            (any_bit ? std::log2(static_cast<double>(layer.word_bits)) : 0) + kSignBits +
                            2 * std::min<double>(kValueBits, layer.word_bits);
        sizes.campaign += static_cast<double>(draw.count) * (kDeflate * bits / 8 + kOutcomeBytes);
    }
    return sizes;
}

}  // namespace flipstorm
