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
#include "analysis/residual.hpp"
#include "analysis/risk_map.hpp"
#include "analysis/signature.hpp"
#include "engine/base/error.hpp"
#include "engine/memory/codes/protection_scheme.hpp"

namespace flipstorm
{
namespace
{

constexpr double kPaperThreshold = 0.5;
constexpr std::size_t kLevels = RiskMap::kLevels;

/// Of what "sec_critical" at 0.5 leaves, the part that "optimized" leaves without a bound.
constexpr double kSaferThanThePaper = 0.1;

/// Check bits of the parameters from `level` upwards under the code of a scheme.
std::uint64_t check_bits(const RiskMap& risk, const ProtectionScheme& scheme, std::size_t level)
{
    std::uint64_t bits = 0;
    for (const auto& [word_bits, parameters] : risk.of_word_bits)
    {
        const int together = std::max(1, scheme.code_word_bits / word_bits);
        const auto group = static_cast<std::uint64_t>(together);
        const std::uint64_t flagged = std::accumulate(parameters.begin() + static_cast<std::ptrdiff_t>(level),
                                                      parameters.end(), std::uint64_t{0});
        bits += protected_size(*scheme.code, (flagged + group - 1) / group, together * word_bits).check;
    }
    return bits;
}

/// Flags that a scheme keeps, one of each parameter.
std::uint64_t signature_bits(const RiskMap& risk, Coverage coverage)
{
    switch (coverage)
    {
        case Coverage::all:
            return 0;
        case Coverage::critical:
            return risk.weights;
        case Coverage::optimized:
            return 0;
    }
    throw Error("no coverage is number {}", static_cast<int>(coverage));
}

double percent_of_bits(const RiskMap& risk, std::uint64_t extra)
{
    return 100.0 * static_cast<double>(extra) / static_cast<double>(risk.bits);
}

/// Put what is left after an option into it.
void measure(ProtectionOption& option, const RiskMap& risk, const ShareInterval& missed)
{
    const ShareInterval measured = product_interval(risk.critical, missed);
    option.measured_residual = measured.share;
    option.measured_low = measured.low;
    option.measured_high = measured.high;
}

/// The option that flags parameters from `level` upwards: 0 all of them, kLevels none.
ProtectionOption make_option(const RiskMap& risk, const ProtectionScheme& scheme, std::size_t level,
                             double threshold)
{
    ProtectionOption option;
    option.scheme = scheme.name;
    option.threshold = threshold;
    option.flagged_share = static_cast<double>(risk.flagged(level)) / static_cast<double>(risk.weights);
    if (scheme.code)
    {
        option.parity_bits = check_bits(risk, scheme, level);
        option.signature_bits = signature_bits(risk, scheme.coverage);
    }
    option.parity_overhead = percent_of_bits(risk, option.parity_bits);
    option.signature_overhead = percent_of_bits(risk, option.signature_bits);
    option.total_overhead = percent_of_bits(risk, option.parity_bits + option.signature_bits);
    const ExpectedBits left = risk.left(level);
    option.predicted_residual = risk.share(left.mean);
    option.predicted_high = risk.share(left.high);
    measure(option, risk, missed_share(risk, level));
    return option;
}

/// A plan of the layers as an option of the whole.
ProtectionOption make_option(const RiskMap& risk, const CampaignRecord& campaign, const LayerPlan& plan)
{
    ProtectionOption option;
    option.scheme = "optimized";
    option.threshold = std::numeric_limits<double>::quiet_NaN();
    std::uint64_t coded = 0;
    for (std::size_t l = 0; l < risk.risks.size(); ++l)
        coded += plan.option(l).code.code ? risk.risks[l].weights : 0;
    option.flagged_share = static_cast<double>(coded) / static_cast<double>(risk.weights);
    option.parity_bits = plan.chosen.bits;
    option.parity_overhead = percent_of_bits(risk, plan.chosen.bits);
    option.total_overhead = option.parity_overhead;
    double single = 0;
    double high = 0;
    for (std::size_t l = 0; l < risk.risks.size(); ++l)
    {
        single += plan.option(l).single;
        high += plan.option(l).single_high;
    }
    option.predicted_residual = risk.share(single);
    option.predicted_high = risk.share(high);
    measure(option, risk, missed_share(risk, campaign, plan));
    return option;
}

/// The plan of the layers, within the bounds that were asked for.
LayerPlan plan_of(const RiskMap& risk, const HardenOptions& options, const ProtectionOption& paper,
                  const std::vector<StoredTensor>& words)
{
    PlanGoal goal;
    const auto bits = static_cast<double>(risk.bits);
    if (options.max_overhead) goal.most_bits = static_cast<std::uint64_t>(*options.max_overhead * bits);
    const double scale = risk.flipping > 0 ? bits / risk.flipping : 0;
    if (options.max_residual)
        goal.most_risk = *options.max_residual * scale;
    else if (!options.max_overhead)
        goal.most_risk = kSaferThanThePaper * paper.predicted_residual * scale;
    return plan_layers(risk.risks, words, {{options.ber, options.adjacent_share}, options.max_change}, goal);
}

/// The plan as rows of the record.
void record_plan(ProtectionRecord& record, const RiskMap& risk, const LayerPlan& plan,
                 const LayerTable& layers)
{
    for (const ProtectionPlan& point : plan.front)
    {
        double single = 0;
        for (std::size_t l = 0; l < point.choice.size(); ++l)
            single += plan.options[l][point.choice[l]].single;
        record.front.push_back({point.bits, percent_of_bits(risk, point.bits), risk.share(single)});
    }
    for (std::size_t l = 0; l < risk.risks.size(); ++l)
    {
        const LayerOption& option = plan.option(l);
        const std::vector<double>& of_bit = risk.risks[l].of_bit;
        record.plan.push_back({layers.name[l], risk.risks[l].weights,
                               static_cast<std::int32_t>(of_bit.size()), option.code, option.extra_bits,
                               std::accumulate(of_bit.begin(), of_bit.end(), 0.0), option.single,
                               option.change, option.xors});
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

/// The flags of "sec_critical" at a level, layer by layer.
std::vector<FlaggedLayer> flagged_layers(const RiskMap& risk, std::size_t level, const LayerTable& layers,
                                         const std::vector<StoredTensor>& words)
{
    std::vector<FlaggedLayer> flagged;
    for (std::size_t l = 0; l < risk.worst.size(); ++l)
    {
        FlaggedLayer layer;
        for (const std::uint8_t worst : risk.worst[l])
            layer.flagged.push_back(worst >= level ? 1 : 0);
        for (std::size_t w = 0; !words.empty() && w < words[l].size(); ++w)
            layer.negative.push_back(std::signbit(words[l].values()[w]) ? 1 : 0);
        layer.word_bits = layers.word_bits[l];
        layer.channels = static_cast<std::uint64_t>(layers.out_channels[l]);
        layer.kernel_elements = kernel_elements(layers, l);
        flagged.push_back(std::move(layer));
    }
    return flagged;
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
    const RiskMap risk = make_risk_map(campaign, forest);
    FS_CHECK(JobError, !options.options.empty(), "harden.options is empty; give at least one scheme");
    const std::vector<double> thresholds = sorted_thresholds(options, forest);

    constexpr double kUnused = std::numeric_limits<double>::quiet_NaN();
    ProtectionRecord record;
    const ProtectionOption paper =
        make_option(risk, sec_critical_scheme(), risk.level_of(kPaperThreshold), kPaperThreshold);
    std::vector<std::size_t> level;  // of each option
    const auto add = [&](const ProtectionScheme& scheme, std::size_t first_flagged, double threshold) {
        record.options.push_back(make_option(risk, scheme, first_flagged, threshold));
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
                    add(*scheme, risk.level_of(threshold), threshold);
                break;
            case Coverage::optimized: {
                const LayerPlan plan = plan_of(risk, options, paper, words);
                record.options.push_back(make_option(risk, campaign, plan));
                level.push_back(kLevels);
                record_plan(record, risk, plan, campaign.header.layers);
                break;
            }
        }
    }
    mark_pareto(record.options);

    record.forest_sha256 = forest.provenance.stage_sha256;
    record.tolerance = forest.tolerance;
    record.ber = options.ber;
    for (const LayerCriticality* map : risk.maps)
        record.word_bits = std::max(record.word_bits, map->bits);
    const ProtectionOption all = make_option(risk, sec_all_scheme(), 0, kUnused);
    record.overhead = {all.total_overhead, paper.parity_overhead, paper.signature_overhead,
                       gain_percent(all.total_overhead, paper.parity_overhead, paper.signature_overhead)};

    record.signature_sizes =
        signature_sizes(flagged_layers(risk, risk.level_of(kPaperThreshold), campaign.header.layers, words));
    const std::size_t chosen = choose(record.options, forest.threshold);
    record.chosen = static_cast<std::int32_t>(chosen);
    for (std::size_t l = 0; l < risk.worst.size(); ++l)
    {
        LayerSignature signature{risk.maps[l]->layer, std::vector<std::uint8_t>(risk.worst[l].size())};
        if (find_protection_scheme(record.options[chosen].scheme)->coverage == Coverage::optimized)
        {
            const bool coded = record.plan[l].code.code.has_value();
            std::fill(signature.flagged.begin(), signature.flagged.end(), static_cast<std::uint8_t>(coded));
            record.signature.push_back(std::move(signature));
            continue;
        }
        std::transform(risk.worst[l].begin(), risk.worst[l].end(), signature.flagged.begin(),
                       [&](std::uint8_t w) { return static_cast<std::uint8_t>(w >= level[chosen] ? 1 : 0); });
        record.signature.push_back(std::move(signature));
    }
    return record;
}

}  // namespace flipstorm
