#include "analysis/risk_map.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "analysis/calibration.hpp"
#include "analysis/fault_population.hpp"
#include "analysis/residual.hpp"
#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

constexpr std::size_t kLevels = RiskMap::kLevels;

/// What the map says of each bit of a layer.
const std::vector<std::uint8_t>& levels_of(const LayerCriticality& map, bool calibrated)
{
    return calibrated ? map.level : map.probability;
}

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

/// The mean and the upper limit of the probability that a level stands for.
std::array<ExpectedBits, kLevels> probabilities(const ForestRecord& forest, bool calibrated, double balance)
{
    std::array<ExpectedBits, kLevels> of_level{};
    for (std::size_t level = 0; level < kLevels; ++level)
    {
        if (calibrated)
        {
            of_level[level] = {forest.calibration.probability[level], forest.calibration.high[level]};
            continue;
        }
        const double p = undo_balance(static_cast<double>(level) / 255.0, balance);
        of_level[level] = {p, p};
    }
    return of_level;
}

/// Count the bits of a layer.
void add_layer(RiskMap& risk, std::size_t layer, const std::array<ExpectedBits, kLevels>& probability)
{
    const LayerCriticality& map = *risk.maps[layer];
    const auto bits = static_cast<std::size_t>(map.bits);
    const std::vector<std::uint8_t>& levels = levels_of(map, risk.calibrated);
    std::array<std::uint64_t, kLevels>& same_words = risk.of_word_bits[map.bits];
    risk.weights += map.weights;
    risk.bits += map.weights * bits;
    std::vector<std::array<std::uint64_t, kLevels>> counts(bits);
    for (std::size_t w = 0; w < risk.worst[layer].size(); ++w)
    {
        const std::size_t level = risk.worst[layer][w];
        ++risk.parameters[level];
        ++same_words[level];
        ExpectedBits& of_level = risk.critical_bits[level];
        for (std::size_t bit = 0; bit < bits; ++bit)
        {
            const std::uint8_t of_bit = levels[w * bits + bit];
            of_level.mean += probability[of_bit].mean;
            of_level.high += probability[of_bit].high;
            ++counts[bit][of_bit];
        }
    }
    LayerRisk of_layer{map.weights, std::vector<double>(bits), std::vector<double>(bits)};
    for (std::size_t bit = 0; bit < bits; ++bit)
    {
        for (std::size_t level = 0; level < kLevels; ++level)
        {
            const auto count = static_cast<double>(counts[bit][level]);
            of_layer.of_bit[bit] += count * probability[level].mean;
            of_layer.of_bit_high[bit] += count * probability[level].high;
        }
    }
    risk.risks.push_back(std::move(of_layer));
}

/// Count the faults that judge.
void add_faults(RiskMap& risk, const CampaignRecord& campaign, const HeldOut& held)
{
    const std::vector<double> weight = fault_weights(campaign);
    // As fault_weights: of the strata that have faults.
    const StrataTable& strata = campaign.header.strata;
    std::vector<bool> injected(strata.size(), false);
    for (const std::int32_t stratum : campaign.faults.stratum)
        injected[static_cast<std::size_t>(stratum)] = true;
    double population = 0;
    for (std::size_t h = 0; h < strata.size(); ++h)
        population += injected[h] ? static_cast<double>(strata.population[h]) : 0.0;
    const double itself = risk.calibrated ? 1.0 / population : 0;
    double squares = 0;
    for (const std::uint32_t row : held.critical)
    {
        const LayerCriticality& map = *risk.maps[static_cast<std::size_t>(campaign.faults.layer[row])];
        risk.judges.push_back({row, std::max(0.0, weight[row] - itself)});
        risk.held_out[worst_prediction(map, campaign.faults.parameter[row], risk.calibrated)] +=
            risk.judges.back().weight;
        risk.held_out_weight += weight[row];
        squares += weight[row] * weight[row];
    }
    risk.held_out_size = squares > 0 ? risk.held_out_weight * risk.held_out_weight / squares : 0;
    for (std::size_t row = 0; row < weight.size(); ++row)
        risk.flipping += !risk.calibrated || flips_its_bit(campaign.faults, row) ? weight[row] : 0.0;
}

}  // namespace

std::size_t RiskMap::level_of(double threshold) const
{
    if (calibrated) return level_of_threshold(threshold);
    return static_cast<std::size_t>(std::ceil(threshold * 255.0 - 1e-9));
}

std::uint64_t RiskMap::flagged(std::size_t level) const
{
    return std::accumulate(parameters.begin() + static_cast<std::ptrdiff_t>(level), parameters.end(),
                           std::uint64_t{0});
}

ExpectedBits RiskMap::left(std::size_t level) const
{
    ExpectedBits sum;
    for (std::size_t below = 0; below < level; ++below)
    {
        sum.mean += critical_bits[below].mean;
        sum.high += critical_bits[below].high;
    }
    return sum;
}

RiskMap make_risk_map(const CampaignRecord& campaign, const ForestRecord& forest)
{
    RiskMap risk;
    risk.calibrated = !forest.calibration.probability.empty();
    risk.maps = maps_of_layers(campaign, forest);
    for (const LayerCriticality* map : risk.maps)
        risk.worst.push_back(worst_levels(*map, risk.calibrated));
    const HeldOut held = held_out(campaign, forest);
    const std::array<ExpectedBits, kLevels> probability =
        probabilities(forest, risk.calibrated, held.balance);
    for (std::size_t layer = 0; layer < risk.maps.size(); ++layer)
        add_layer(risk, layer, probability);
    add_faults(risk, campaign, held);
    risk.critical = estimate_critical_share(campaign, forest.tolerance).network;
    return risk;
}

/// Part of the critical faults that the code misses if it covers the parameters from `level` upwards.
ShareInterval missed_share(const RiskMap& risk, std::size_t level)
{
    const std::uint64_t flagged = risk.flagged(level);
    if (flagged == 0) return {1, 1, 1};
    if (flagged == risk.weights) return {0, 0, 0};
    // Without a critical fault to judge by, any part may be missed.
    const double missed =
        risk.held_out_weight > 0
            ? std::accumulate(risk.held_out.begin(),
                              risk.held_out.begin() + static_cast<std::ptrdiff_t>(level), 0.0) /
                  risk.held_out_weight
            : 1;
    return wilson_interval(missed, risk.held_out_size);
}

/// Part of the critical faults that a plan misses: those of bits that it leaves as they are.
ShareInterval missed_share(const RiskMap& risk, const CampaignRecord& campaign, const LayerPlan& plan)
{
    double missed = 0;
    for (const Judge& judge : risk.judges)
    {
        const LayerCode& code = plan.option(static_cast<std::size_t>(campaign.faults.layer[judge.row])).code;
        // What only detects makes zeros of words, which is not counted as safe.
        const bool corrects = code.code && code_traits(*code.code).corrects > 0;
        const std::uint32_t places = corrects ? 0 : code.check_places;
        const std::uint32_t safe = ((code.forced | code.copies) & ~places) | (corrects ? code.covered : 0);
        if ((safe >> campaign.faults.bit[judge.row] & 1U) == 0) missed += judge.weight;
    }
    return wilson_interval(risk.held_out_weight > 0 ? missed / risk.held_out_weight : 1, risk.held_out_size);
}

}  // namespace flipstorm
