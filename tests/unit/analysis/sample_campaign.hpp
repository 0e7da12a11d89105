#pragma once
// A small campaign with planted criticality, for the tests of the analysis.

#include <cmath>
#include <vector>

#include "analysis/campaign_check.hpp"
#include "analysis/criticality.hpp"
#include "analysis/estimates.hpp"
#include "engine/base/philox.hpp"
#include "hdf5_schema/campaign_file.hpp"

namespace flipstorm::testing
{

/// conv1 [4, 2, 3×3] and fc1 [5, 8], words of 8 bits.
inline LayerTable sample_layers()
{
    return {{"conv1", "fc1"}, {72, 40}, {4, 5}, {2, 8}, {8, 8}, {1, 1}};
}

/// Random weights, about half of them negative.
inline std::vector<LayerWeights> sample_weights(const LayerTable& layers)
{
    RandomStream random(7, RandomPurpose::test);
    std::vector<LayerWeights> weights;
    for (std::size_t l = 0; l < layers.size(); ++l)
    {
        LayerWeights layer{layers.name[l], {}};
        for (std::uint64_t w = 0; w < layers.weights[l]; ++w)
            layer.values.edit().push_back(static_cast<float>(random.normal()));
        weights.push_back(layer);
    }
    return weights;
}

/// The same in words of 8 bits with one integer bit, and where the layers stand.
inline std::vector<LayerWeights> sample_weights_of_words(const LayerTable& layers)
{
    std::vector<LayerWeights> weights = sample_weights(layers);
    for (std::size_t l = 0; l < layers.size(); ++l)
    {
        const auto count = static_cast<std::int64_t>(layers.weights[l]);
        const std::int64_t outputs = layers.out_channels[l];
        StoredTensor words({outputs, count / outputs}, weights[l].values, format_traits(NumberFormat::fxp8),
                           {std::vector<float>{1.0F / 64}});
        weights[l].values = words.values();
        weights[l].words = std::move(words);
        weights[l].type = static_cast<std::int32_t>(l);
        weights[l].depth = static_cast<std::int32_t>(l) + 1;
    }
    return weights;
}

/// Append a fault with the given drop; its channels and sign follow from the parameter.
inline void add_fault(CampaignRecord& campaign, const std::vector<LayerWeights>& weights,
                      std::int32_t stratum, std::int32_t layer, std::uint64_t parameter, std::uint8_t bit,
                      double drop)
{
    const auto l = static_cast<std::size_t>(layer);
    const LayerTable& layers = campaign.header.layers;
    const std::uint64_t filter = parameter / kernel_elements(layers, l);
    const auto inputs = static_cast<std::uint64_t>(layers.in_channels[l]);
    const float value = weights[l].values[parameter];
    FaultTable& faults = campaign.faults;
    faults.stratum.push_back(stratum);
    faults.layer.push_back(layer);
    faults.parameter.push_back(parameter);
    faults.out_channel.push_back(static_cast<std::int32_t>(filter / inputs));
    faults.in_channel.push_back(static_cast<std::int32_t>(filter % inputs));
    faults.bit.push_back(bit);
    faults.sign.push_back(std::signbit(value) ? 1 : 0);
    faults.value_before.push_back(value);
    faults.value_after.push_back(-value);
    faults.mask.push_back(std::uint32_t{1} << bit);
    faults.effect.push_back(0);
    OutcomeTable& outcomes = campaign.outcomes;
    outcomes.evaluated.push_back(1000);
    outcomes.correct.push_back(900);
    outcomes.mismatches.push_back(0);
    outcomes.nonfinite.push_back(0);
    outcomes.stopped.push_back(0);
    outcomes.drop.push_back(drop);
}

/// The planted truth: bit 6 of conv1 costs 30 %, bit 7 of positive weights of fc1's even outputs 2 %.
inline double planted_drop(std::int32_t layer, std::uint8_t bit, std::int32_t out, bool negative)
{
    if (layer == 0 && bit == 6) return 0.3;
    if (layer == 1 && bit == 7 && !negative && out % 2 == 0) return 0.02;
    return 0.0;
}

/// One stratum per layer and every `stride`-th of its bits injected.
inline CampaignRecord sample_campaign(const std::vector<LayerWeights>& weights, std::uint64_t stride = 1)
{
    CampaignRecord campaign;
    CampaignHeader& header = campaign.header;
    header.target = "weights";
    header.evaluation = "exact";
    header.tolerances = {0.005, 0.01, 0.05, 0.5};
    header.images = 1000;
    header.golden_correct = 950;
    header.layers = sample_layers();
    for (std::int32_t layer = 0; layer < 2; ++layer)
    {
        const auto l = static_cast<std::size_t>(layer);
        const std::uint64_t bits = header.layers.weights[l] * 8;
        std::uint64_t faults = 0;
        for (std::uint64_t site = 0; site < bits; site += stride)
        {
            add_fault(campaign, weights, layer, layer, site / 8, static_cast<std::uint8_t>(site % 8), 0.0);
            campaign.outcomes.drop.back() =
                planted_drop(layer, campaign.faults.bit.back(), campaign.faults.out_channel.back(),
                             campaign.faults.sign.back() == 1);
            ++faults;
        }
        header.strata.layer.push_back(layer);
        header.strata.bit.push_back(-1);
        header.strata.population.push_back(bits);
        header.strata.planned.push_back(faults);
        header.strata.evaluated.push_back(faults);
    }
    return campaign;
}

/// Say that the sample (of stride 1) was screened: conv1 as asked, fc1 exactly in the end.
inline void add_screens(CampaignRecord& campaign)
{
    const double kept = clopper_pearson_upper(0, 400000);
    const double given_up = clopper_pearson_upper(3, 200000);
    campaign.header.evaluation = "screened";
    campaign.header.screen = {8, 0.1, 1e-5, 896000, 500000, 400000, 0, kept, {}};
    campaign.header.screen.trials = {{0, 1, 1},
                                     {0, 0, 3},
                                     {8, 8, 0},
                                     {0.1, 0.1, 0},
                                     {0.8, 0.8, 0},
                                     {576000, 320000, 320000},
                                     {500000, 250000, 0},
                                     {400000, 200000, 0},
                                     {0, 3, 0},
                                     {kept, given_up, 0},
                                     {1, 0, 1}};
}

}  // namespace flipstorm::testing
