#include "analysis/protection.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>

#include "analysis/calibration.hpp"
#include "analysis/campaign_check.hpp"
#include "analysis/estimates.hpp"
#include "analysis/fault_population.hpp"
#include "analysis/layer_plan.hpp"
#include "analysis/residual.hpp"
#include "engine/base/error.hpp"
#include "engine/memory/codes/protection_scheme.hpp"

namespace flipstorm
{
namespace
{

constexpr double kPaperThreshold = 0.5;
constexpr std::size_t kLevels = kCriticalityLevels;

/// Of what "sec_critical" at 0.5 leaves, the part that "optimized" leaves without a bound.
constexpr double kSaferThanThePaper = 0.1;

/// Whether the map knows measured outcomes and what votes mean; a file before version 1.2 does not.
bool is_calibrated(const ForestRecord& forest)
{
    return !forest.calibration.probability.empty();
}

/// What the map says of each bit of a layer.
const std::vector<std::uint8_t>& levels_of(const LayerCriticality& map, bool calibrated)
{
    return calibrated ? map.level : map.probability;
}

/// Least level that reaches the threshold: a parameter is flagged if its worst bit has it.
std::size_t level_of(double threshold, bool calibrated)
{
    if (calibrated) return level_of_threshold(threshold);
    return static_cast<std::size_t>(std::ceil(threshold * 255.0 - 1e-9));
}

/// A critical fault that the forest was not trained on.
struct Judge
{
    std::uint32_t row = 0;
    double weight = 0;  ///< of the faults that it stands for, itself left out
};

/// What a network has at each level of its parameters' worst bit.
struct Levels
{
    std::array<std::uint64_t, kLevels> parameters{};
    std::map<std::int32_t, std::array<std::uint64_t, kLevels>>
        of_word_bits;                           ///< the same by length of a word
    std::array<double, kLevels> probability{};  ///< Σ over all bits of predicted probability
    std::array<double, kLevels>
        held_out{};              ///< Σ of what the held-out critical faults stand for, themselves left out
    double held_out_weight = 0;  ///< the same with themselves, of all levels
    double held_out_size = 0;    ///< effective number of these, (Σ w)² / Σ w² (Kish)
    std::vector<Judge> judges;
    std::vector<LayerRisk> risks;  ///< by layer, of bits that flip
    double flipping = 0;  ///< share of the faults that flip their bit; half of those that are stuck do
    std::uint64_t weights = 0;
    std::uint64_t bits = 0;
    ShareInterval critical;  ///< share of all faults
};

/// The map of each layer of the campaign. \throws DataError if campaign and map are not of one network.
std::vector<const LayerCriticality*> maps_of_layers(const CampaignRecord& campaign,
                                                    const ForestRecord& forest)
{
    const LayerTable& layers = campaign.header.layers;
    FS_CHECK(DataError, forest.criticality.size() == layers.size(),
             "the forest's map has {} layers, the campaign {}: not the same network",
             forest.criticality.size(), layers.size());
    std::vector<const LayerCriticality*> maps;
    for (std::size_t l = 0; l < layers.size(); ++l)
    {
        const auto map = std::find_if(
            forest.criticality.begin(), forest.criticality.end(),
            [&](const LayerCriticality& candidate) { return candidate.layer == layers.name[l]; });
        FS_CHECK(DataError, map != forest.criticality.end(),
                 "the forest's map has no layer '{}' of the campaign: not the same network", layers.name[l]);
        const bool same = map->weights == layers.weights[l] && map->bits == layers.word_bits[l] &&
                          map->probability.size() == map->weights * static_cast<std::uint64_t>(map->bits);
        FS_CHECK(DataError, same,
                 "layer '{}' has {} weights of {} bits in the forest's map, {} of {} in the campaign",
                 map->layer, map->weights, map->bits, layers.weights[l], layers.word_bits[l]);
        maps.push_back(&*map);
    }
    return maps;
}

/// The level that the model predicts for the worst bit of a parameter, whatever was measured.
std::size_t worst_prediction(const LayerCriticality& map, std::uint64_t parameter, bool calibrated)
{
    const auto bits = static_cast<std::size_t>(map.bits);
    const auto first = map.probability.begin() + static_cast<std::ptrdiff_t>(parameter * bits);
    const std::uint8_t vote = *std::max_element(first, first + static_cast<std::ptrdiff_t>(bits));
    return calibrated ? predicted_level(vote) : vote;
}

/// The level of the worst bit of each parameter of a layer.
std::vector<std::uint8_t> worst_levels(const LayerCriticality& map, bool calibrated)
{
    const std::vector<std::uint8_t>& levels = levels_of(map, calibrated);
    const auto bits = static_cast<std::size_t>(map.bits);
    std::vector<std::uint8_t> worst(map.weights);
    for (std::size_t w = 0; w < worst.size(); ++w)
    {
        const auto first = levels.begin() + static_cast<std::ptrdiff_t>(w * bits);
        worst[w] = *std::max_element(first, first + static_cast<std::ptrdiff_t>(bits));
    }
    return worst;
}

Levels count_levels(const CampaignRecord& campaign, const ForestRecord& forest,
                    const std::vector<const LayerCriticality*>& maps,
                    const std::vector<std::vector<std::uint8_t>>& worst)
{
    Levels levels;
    const HeldOut held = held_out(campaign, forest);
    const bool calibrated = is_calibrated(forest);
    std::array<double, kLevels> probability{};
    for (std::size_t level = 0; level < kLevels; ++level)
    {
        probability[level] = calibrated ? forest.calibration.probability[level]
                                        : undo_balance(static_cast<double>(level) / 255.0, held.balance);
    }
    for (std::size_t l = 0; l < worst.size(); ++l)
    {
        const LayerCriticality& map = *maps[l];
        const auto bits = static_cast<std::uint64_t>(map.bits);
        std::array<std::uint64_t, kLevels>& same_words = levels.of_word_bits[map.bits];
        levels.weights += map.weights;
        levels.bits += map.weights * bits;
        LayerRisk risk{map.weights, std::vector<double>(static_cast<std::size_t>(bits))};
        for (std::size_t w = 0; w < worst[l].size(); ++w)
        {
            const std::size_t level = worst[l][w];
            const auto first = levels_of(map, calibrated).begin() + static_cast<std::ptrdiff_t>(w * bits);
            ++levels.parameters[level];
            ++same_words[level];
            levels.probability[level] = std::accumulate(
                first, first + static_cast<std::ptrdiff_t>(bits), levels.probability[level],
                [&probability](double sum, std::uint8_t of_bit) { return sum + probability[of_bit]; });
            for (std::size_t bit = 0; bit < risk.of_bit.size(); ++bit)
                risk.of_bit[bit] += probability[first[static_cast<std::ptrdiff_t>(bit)]];
        }
        levels.risks.push_back(std::move(risk));
    }
    const std::vector<double> weight = fault_weights(campaign);
    // As fault_weights: of the strata that have faults.
    const StrataTable& strata = campaign.header.strata;
    std::vector<bool> injected(strata.size(), false);
    for (const std::int32_t stratum : campaign.faults.stratum)
        injected[static_cast<std::size_t>(stratum)] = true;
    double population = 0;
    for (std::size_t h = 0; h < strata.size(); ++h)
        population += injected[h] ? static_cast<double>(strata.population[h]) : 0.0;
    const double itself = calibrated ? 1.0 / population : 0;
    double squares = 0;
    for (const std::uint32_t row : held.critical)
    {
        const LayerCriticality& map = *maps[static_cast<std::size_t>(campaign.faults.layer[row])];
        levels.judges.push_back({row, std::max(0.0, weight[row] - itself)});
        levels.held_out[worst_prediction(map, campaign.faults.parameter[row], calibrated)] +=
            levels.judges.back().weight;
        levels.held_out_weight += weight[row];
        squares += weight[row] * weight[row];
    }
    levels.held_out_size = squares > 0 ? levels.held_out_weight * levels.held_out_weight / squares : 0;
    for (std::size_t row = 0; row < weight.size(); ++row)
        levels.flipping += !calibrated || flips_its_bit(campaign.faults, row) ? weight[row] : 0.0;
    levels.critical = estimate_critical_share(campaign, forest.tolerance).network;
    return levels;
}

template<class Array>
auto sum_from(const Array& levels, std::size_t first)
{
    return std::accumulate(levels.begin() + static_cast<std::ptrdiff_t>(first), levels.end(),
                           typename Array::value_type{0});
}

template<class Array>
auto sum_below(const Array& levels, std::size_t end)
{
    return std::accumulate(levels.begin(), levels.begin() + static_cast<std::ptrdiff_t>(end),
                           typename Array::value_type{0});
}

/// Part of the critical faults that the code misses if it covers the parameters from `level` upwards.
ShareInterval missed_share(const Levels& levels, std::size_t level)
{
    const std::uint64_t flagged = sum_from(levels.parameters, level);
    if (flagged == 0) return {1, 1, 1};
    if (flagged == levels.weights) return {0, 0, 0};
    // Without a critical fault to judge by, any part may be missed.
    const double missed =
        levels.held_out_weight > 0 ? sum_below(levels.held_out, level) / levels.held_out_weight : 1;
    return wilson_interval(missed, levels.held_out_size);
}

/// Part of the critical faults that a plan misses: those of bits that it leaves as they are.
ShareInterval missed_share(const Levels& levels, const CampaignRecord& campaign, const LayerPlan& plan)
{
    double missed = 0;
    for (const Judge& judge : levels.judges)
    {
        const LayerCode& code = plan.option(static_cast<std::size_t>(campaign.faults.layer[judge.row])).code;
        const std::uint32_t safe = code.forced | code.copies | code.covered;
        if ((safe >> campaign.faults.bit[judge.row] & 1U) == 0) missed += judge.weight;
    }
    return wilson_interval(levels.held_out_weight > 0 ? missed / levels.held_out_weight : 1,
                           levels.held_out_size);
}

/// Check bits of the parameters from `level` upwards under the code of a scheme.
std::uint64_t check_bits(const Levels& levels, const ProtectionScheme& scheme, std::size_t level)
{
    std::uint64_t bits = 0;
    for (const auto& [word_bits, parameters] : levels.of_word_bits)
    {
        const int together = std::max(1, scheme.code_word_bits / word_bits);
        const auto group = static_cast<std::uint64_t>(together);
        bits += protected_size(*scheme.code, (sum_from(parameters, level) + group - 1) / group,
                               together * word_bits)
                    .check;
    }
    return bits;
}

/// Flags that a scheme keeps, one of each parameter.
std::uint64_t signature_bits(const Levels& levels, Coverage coverage)
{
    switch (coverage)
    {
        case Coverage::all:
            return 0;
        case Coverage::critical:
            return levels.weights;
        case Coverage::optimized:
            return 0;
    }
    throw Error("no coverage is number {}", static_cast<int>(coverage));
}

double percent_of_bits(const Levels& levels, std::uint64_t extra)
{
    return 100.0 * static_cast<double>(extra) / static_cast<double>(levels.bits);
}

/// Put what is left after an option into it.
void measure(ProtectionOption& option, const Levels& levels, const ShareInterval& missed)
{
    const ShareInterval measured = product_interval(levels.critical, missed);
    option.measured_residual = measured.share;
    option.measured_low = measured.low;
    option.measured_high = measured.high;
}

/// The option that flags parameters from `level` upwards: 0 all of them, kLevels none.
ProtectionOption make_option(const Levels& levels, const ProtectionScheme& scheme, std::size_t level,
                             double threshold)
{
    ProtectionOption option;
    option.scheme = scheme.name;
    option.threshold = threshold;
    option.flagged_share =
        static_cast<double>(sum_from(levels.parameters, level)) / static_cast<double>(levels.weights);
    if (scheme.code)
    {
        option.parity_bits = check_bits(levels, scheme, level);
        option.signature_bits = signature_bits(levels, scheme.coverage);
    }
    option.parity_overhead = percent_of_bits(levels, option.parity_bits);
    option.signature_overhead = percent_of_bits(levels, option.signature_bits);
    option.total_overhead = percent_of_bits(levels, option.parity_bits + option.signature_bits);
    option.predicted_residual =
        levels.flipping * sum_below(levels.probability, level) / static_cast<double>(levels.bits);
    measure(option, levels, missed_share(levels, level));
    return option;
}

/// A plan of the layers as an option of the whole.
ProtectionOption make_option(const Levels& levels, const CampaignRecord& campaign, const LayerPlan& plan)
{
    ProtectionOption option;
    option.scheme = "optimized";
    option.threshold = std::numeric_limits<double>::quiet_NaN();
    std::uint64_t coded = 0;
    for (std::size_t l = 0; l < levels.risks.size(); ++l)
        coded += plan.option(l).code.code ? levels.risks[l].weights : 0;
    option.flagged_share = static_cast<double>(coded) / static_cast<double>(levels.weights);
    option.parity_bits = plan.chosen.bits;
    option.parity_overhead = percent_of_bits(levels, plan.chosen.bits);
    option.total_overhead = option.parity_overhead;
    option.predicted_residual = levels.flipping * plan.chosen.risk / static_cast<double>(levels.bits);
    measure(option, levels, missed_share(levels, campaign, plan));
    return option;
}

/// The plan of the layers, within the bounds that were asked for.
LayerPlan plan_of(const Levels& levels, const HardenOptions& options, const ProtectionOption& paper,
                  const std::vector<StoredTensor>& words)
{
    PlanGoal goal;
    const auto bits = static_cast<double>(levels.bits);
    if (options.max_overhead) goal.most_bits = static_cast<std::uint64_t>(*options.max_overhead * bits);
    const double scale = levels.flipping > 0 ? bits / levels.flipping : 0;
    if (options.max_residual)
        goal.most_risk = *options.max_residual * scale;
    else if (!options.max_overhead)
        goal.most_risk = kSaferThanThePaper * paper.predicted_residual * scale;
    return plan_layers(levels.risks, words, {{options.ber, options.adjacent_share}, options.max_change},
                       goal);
}

/// The plan as rows of the record.
void record_plan(ProtectionRecord& record, const Levels& levels, const LayerPlan& plan,
                 const LayerTable& layers)
{
    for (const ProtectionPlan& point : plan.front)
        record.front.push_back({point.bits, percent_of_bits(levels, point.bits),
                                levels.flipping * point.risk / static_cast<double>(levels.bits)});
    for (std::size_t l = 0; l < levels.risks.size(); ++l)
    {
        const LayerOption& option = plan.option(l);
        const std::vector<double>& of_bit = levels.risks[l].of_bit;
        record.plan.push_back({layers.name[l], levels.risks[l].weights,
                               static_cast<std::int32_t>(of_bit.size()), option.code, option.extra_bits,
                               std::accumulate(of_bit.begin(), of_bit.end(), 0.0), option.risk, option.change,
                               option.xors});
    }
}

void mark_pareto(std::vector<ProtectionOption>& options)
{
    for (ProtectionOption& option : options)
    {
        option.pareto =
            std::none_of(options.begin(), options.end(), [&option](const ProtectionOption& other) {
                const bool no_worse = other.total_overhead <= option.total_overhead &&
                                      other.predicted_residual <= option.predicted_residual;
                const bool better = other.total_overhead < option.total_overhead ||
                                    other.predicted_residual < option.predicted_residual;
                return no_worse && better;
            });
    }
}

std::size_t choose(const std::vector<ProtectionOption>& options, double threshold)
{
    const auto optimized = std::find_if(options.begin(), options.end(), [](const ProtectionOption& o) {
        return find_protection_scheme(o.scheme)->coverage == Coverage::optimized;
    });
    if (optimized != options.end()) return static_cast<std::size_t>(optimized - options.begin());
    // Where none could be confirmed, every bit would be flagged.
    if (threshold != kPaperThreshold && level_of_threshold(threshold) > 1)
    {
        const auto asked =
            std::find_if(options.begin(), options.end(), [threshold](const ProtectionOption& o) {
                return o.scheme == sec_critical_scheme().name && o.threshold == threshold;
            });
        if (asked != options.end()) return static_cast<std::size_t>(asked - options.begin());
    }
    const auto paper = std::find_if(options.begin(), options.end(), [](const ProtectionOption& o) {
        return o.scheme == sec_critical_scheme().name && o.threshold == kPaperThreshold;
    });
    const double budget =
        paper != options.end() ? paper->total_overhead : std::numeric_limits<double>::infinity();
    const auto order = [&](const ProtectionOption& o) {
        return std::make_tuple(o.total_overhead > budget, o.predicted_residual, o.total_overhead);
    };
    const auto best = std::min_element(
        options.begin(), options.end(),
        [&](const ProtectionOption& a, const ProtectionOption& b) { return order(a) < order(b); });
    return static_cast<std::size_t>(best - options.begin());
}

std::vector<double> sorted_thresholds(const HardenOptions& options, const ForestRecord& forest)
{
    std::vector<double> thresholds = options.thresholds;
    thresholds.push_back(kPaperThreshold);
    thresholds.push_back(forest.threshold);
    for (const double threshold : thresholds)
    {
        FS_CHECK(JobError, threshold > 0 && threshold <= 1,
                 "harden: a threshold of {}; above 0 and at most 1 would be right", threshold);
    }
    std::sort(thresholds.begin(), thresholds.end());
    thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());
    return thresholds;
}

/// Gain of Table III of DATE 2023 in percent.
double gain_percent(double all_parameters, double critical_parameters, double signature)
{
    return 100.0 * (1.0 - (critical_parameters + signature) / all_parameters);
}

}  // namespace

ProtectionRecord choose_protection(const CampaignRecord& campaign, const ForestRecord& forest,
                                   const HardenOptions& options, const std::vector<StoredTensor>& words)
{
    check_campaign(campaign);
    const std::string obstacle = why_not_learnt(campaign.header);
    FS_CHECK(DataError, obstacle.empty(), "campaign: {}", obstacle);
    const std::vector<const LayerCriticality*> maps = maps_of_layers(campaign, forest);
    FS_CHECK(JobError, !options.options.empty(), "harden.options is empty; give at least one scheme");
    const std::vector<double> thresholds = sorted_thresholds(options, forest);

    const bool calibrated = is_calibrated(forest);
    std::vector<std::vector<std::uint8_t>> worst;
    for (const LayerCriticality* map : maps)
        worst.push_back(worst_levels(*map, calibrated));
    const Levels levels = count_levels(campaign, forest, maps, worst);

    constexpr double kUnused = std::numeric_limits<double>::quiet_NaN();
    ProtectionRecord record;
    const ProtectionOption paper =
        make_option(levels, sec_critical_scheme(), level_of(kPaperThreshold, calibrated), kPaperThreshold);
    std::vector<std::size_t> level;  // of each option
    const auto add = [&](const ProtectionScheme& scheme, std::size_t first_flagged, double threshold) {
        record.options.push_back(make_option(levels, scheme, first_flagged, threshold));
        level.push_back(first_flagged);
    };
    for (const std::string& name : options.options)
    {
        const ProtectionScheme* const scheme = find_protection_scheme(name);
        FS_CHECK(JobError, scheme != nullptr, "harden.options: \"{}\" is unknown; {} would be right", name,
                 protection_scheme_choices('"'));
        // Both residuals count a single upset in a parameter under the code as none.
        FS_REQUIRE(!scheme->code || code_traits(*scheme->code).corrects >= 1, "{} corrects no upset", name);
        switch (scheme->coverage)
        {
            case Coverage::all:
                add(*scheme, scheme->code ? 0 : kLevels, kUnused);
                break;
            case Coverage::critical:
                for (const double threshold : thresholds)
                    add(*scheme, level_of(threshold, calibrated), threshold);
                break;
            case Coverage::optimized: {
                const LayerPlan plan = plan_of(levels, options, paper, words);
                record.options.push_back(make_option(levels, campaign, plan));
                level.push_back(kLevels);
                record_plan(record, levels, plan, campaign.header.layers);
                break;
            }
        }
    }
    mark_pareto(record.options);

    record.forest_sha256 = forest.provenance.stage_sha256;
    record.tolerance = forest.tolerance;
    record.ber = options.ber;
    for (const LayerCriticality* map : maps)
        record.word_bits = std::max(record.word_bits, map->bits);
    const ProtectionOption all = make_option(levels, sec_all_scheme(), 0, kUnused);
    record.overhead = {all.total_overhead, paper.parity_overhead, paper.signature_overhead,
                       gain_percent(all.total_overhead, paper.parity_overhead, paper.signature_overhead)};

    const std::size_t chosen = choose(record.options, forest.threshold);
    record.chosen = static_cast<std::int32_t>(chosen);
    for (std::size_t l = 0; l < worst.size(); ++l)
    {
        LayerSignature signature{maps[l]->layer, std::vector<std::uint8_t>(worst[l].size())};
        if (find_protection_scheme(record.options[chosen].scheme)->coverage == Coverage::optimized)
        {
            const bool coded = record.plan[l].code.code.has_value();
            std::fill(signature.flagged.begin(), signature.flagged.end(), static_cast<std::uint8_t>(coded));
            record.signature.push_back(std::move(signature));
            continue;
        }
        std::transform(worst[l].begin(), worst[l].end(), signature.flagged.begin(),
                       [&](std::uint8_t w) { return static_cast<std::uint8_t>(w >= level[chosen] ? 1 : 0); });
        record.signature.push_back(std::move(signature));
    }
    return record;
}

}  // namespace flipstorm
