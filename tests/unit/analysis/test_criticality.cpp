#include "analysis/criticality.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "engine/base/error.hpp"
#include "sample_campaign.hpp"

namespace flipstorm
{
namespace
{

/// What the map should hold, by predicting the rows one by one.
std::vector<std::uint8_t> row_by_row(const Forest& forest, const LayerTable& layers, std::size_t layer,
                                     const LayerWeights& weights)
{
    const std::uint64_t kernel = kernel_elements(layers, layer);
    const auto inputs = static_cast<std::uint64_t>(layers.in_channels[layer]);
    std::vector<float> rows;
    for (std::uint64_t w = 0; w < layers.weights[layer]; ++w)
    {
        for (std::int32_t bit = 0; bit < layers.word_bits[layer]; ++bit)
        {
            const float row[5] = {std::signbit(weights.values[w]) ? 1.0F : 0.0F, static_cast<float>(bit),
                                  static_cast<float>(layer), static_cast<float>(w / kernel / inputs),
                                  static_cast<float>(w / kernel % inputs)};
            rows.insert(rows.end(), row, row + 5);
        }
    }
    std::vector<std::uint8_t> expected;
    for (const double p : forest.predict(rows, 1))
        expected.push_back(static_cast<std::uint8_t>(std::lround(255 * p)));
    return expected;
}

Forest noisy_forest(const LayerTable& layers, std::uint64_t rows, Bag bag)
{
    RandomStream random(11, RandomPurpose::test);
    std::vector<std::vector<float>> columns(5);
    std::vector<std::uint8_t> labels;
    for (std::uint64_t i = 0; i < rows; ++i)
    {
        const auto layer = static_cast<std::size_t>(random.below(layers.size()));
        columns[kSignFeature].push_back(static_cast<float>(random.below(2)));
        columns[kBitFeature].push_back(
            static_cast<float>(random.below(static_cast<std::uint64_t>(layers.word_bits[layer]))));
        columns[kLayerFeature].push_back(static_cast<float>(layer));
        // Even channels only: the map has to judge channels that the forest never saw.
        columns[kOutChannelFeature].push_back(
            static_cast<float>(random.below(static_cast<std::uint64_t>(layers.out_channels[layer]) / 2) * 2));
        columns[kInChannelFeature].push_back(
            static_cast<float>(random.below(static_cast<std::uint64_t>(layers.in_channels[layer]) / 2) * 2));
        labels.push_back(random.uniform() < (columns[kBitFeature].back() > 5 ? 0.7 : 0.1) ? 1 : 0);
    }
    const FeatureTable table =
        make_feature_table({"sign", "bit", "layer", "out_channel", "in_channel"}, columns);
    std::vector<std::uint32_t> all(rows);
    std::iota(all.begin(), all.end(), 0U);
    ForestSettings settings;
    settings.bag = bag;
    settings.trees = 30;
    return Forest::train(table, labels, all, settings);
}

TEST(PredictLayer, EqualsPredictingRowsOneByOne)
{
    const LayerTable layers = testing::sample_layers();
    const auto weights = testing::sample_weights(layers);
    for (const Bag bag : {Bag::bootstrap, Bag::stratified_bootstrap})
    {
        const Forest forest = noisy_forest(layers, 1500, bag);
        for (std::size_t l = 0; l < layers.size(); ++l)
        {
            const LayerCriticality map = predict_layer(forest, {}, layers, l, weights[l], 2);
            EXPECT_EQ(map.layer, layers.name[l]);
            EXPECT_EQ(map.weights, layers.weights[l]);
            EXPECT_EQ(map.bits, layers.word_bits[l]);
            EXPECT_EQ(map.probability, row_by_row(forest, layers, l, weights[l]));
        }
    }
}

TEST(PredictLayer, LargeLayersArePredictedInSlabs)
{
    // 64 × 2,048 × 2 signs × 16 bits: 4 slabs.
    const LayerTable layers{{"fc"}, {131072}, {64}, {2048}, {16}};
    const auto weights = testing::sample_weights(layers);
    const Forest forest = noisy_forest(layers, 3000, Bag::bootstrap);
    const LayerCriticality one = predict_layer(forest, {}, layers, 0, weights[0], 1);
    EXPECT_EQ(one.probability, row_by_row(forest, layers, 0, weights[0]));
    EXPECT_EQ(one.probability, predict_layer(forest, {}, layers, 0, weights[0], 3).probability);
}

TEST(PredictLayer, StopsBetweenTrees)
{
    const LayerTable layers = testing::sample_layers();
    const auto weights = testing::sample_weights(layers);
    const Forest forest = noisy_forest(layers, 200, Bag::bootstrap);
    ASSERT_GT(forest.trees(), 3U);
    int asked = 0;
    EXPECT_THROW(predict_layer(forest, {}, layers, 0, weights[0], 1, [&asked] { return ++asked == 3; }),
                 Stopped);
    EXPECT_EQ(asked, 3);
}

TEST(PredictLayer, RefusesAnotherNetwork)
{
    const LayerTable layers = testing::sample_layers();
    auto weights = testing::sample_weights(layers);
    const Forest forest = noisy_forest(layers, 200, Bag::bootstrap);
    weights[0].values.edit().pop_back();
    EXPECT_THROW(predict_layer(forest, {}, layers, 0, weights[0], 1), DataError);
    weights[1].name = "fc2";
    EXPECT_THROW(predict_layer(forest, {}, layers, 1, weights[1], 1), DataError);
}

/// The same for features of any kind.
std::vector<std::uint8_t> row_by_row(const Forest& forest, const FaultFeatures& features,
                                     const LayerTable& layers, std::size_t layer, const LayerWeights& weights)
{
    const std::uint64_t kernel = kernel_elements(layers, layer);
    const auto inputs = static_cast<std::uint64_t>(layers.in_channels[layer]);
    std::vector<float> rows;
    for (std::uint64_t w = 0; w < layers.weights[layer]; ++w)
    {
        for (std::int32_t bit = 0; bit < layers.word_bits[layer]; ++bit)
        {
            rows.insert(rows.end(), {std::signbit(weights.values[w]) ? 1.0F : 0.0F, static_cast<float>(bit),
                                     static_cast<float>(layer), static_cast<float>(w / kernel / inputs),
                                     static_cast<float>(w / kernel % inputs)});
            for (const ExtraFeature feature : features.extra())
                rows.push_back(features.value(feature, layer, w, bit));
        }
    }
    std::vector<std::uint8_t> expected;
    for (const double p : forest.predict(rows, 1))
        expected.push_back(static_cast<std::uint8_t>(std::lround(255 * p)));
    return expected;
}

TEST(PredictLayer, EqualsPredictingRowsOneByOneForAnyFeatures)
{
    const auto of_words = testing::sample_weights_of_words(testing::sample_layers());
    const CampaignRecord campaign = testing::sample_campaign(of_words, 3);
    const LayerTable& layers = campaign.header.layers;
    const std::vector<std::vector<std::string>> choices = {
        {"kernel_position"},
        {"depth", "kernel_position", "layer_type", "fan_in"},
        {"direction"},
        {"filter_norm", "exponent"},
        extra_feature_names()};
    RandomStream random(12, RandomPurpose::test);
    for (const std::vector<std::string>& extra : choices)
    {
        const FaultFeatures features(extra, layers, of_words);
        const FeatureTable table = features.table(campaign.faults);
        EXPECT_EQ(table.names.size(), 5 + extra.size());
        std::vector<std::uint8_t> labels(table.rows());
        for (std::uint8_t& label : labels)
            label = random.below(3) == 0 ? 1 : 0;
        std::vector<std::uint32_t> all(table.rows());
        std::iota(all.begin(), all.end(), 0U);
        ForestSettings settings;
        settings.trees = 10;
        const Forest forest = Forest::train(table, labels, all, settings);
        for (std::size_t l = 0; l < layers.size(); ++l)
        {
            EXPECT_EQ(predict_layer(forest, features, layers, l, of_words[l], 2).probability,
                      row_by_row(forest, features, layers, l, of_words[l]));
        }
    }
}

}  // namespace
}  // namespace flipstorm
