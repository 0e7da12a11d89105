#include "analysis/residual.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "analysis/estimates.hpp"
#include "analysis/feature_table.hpp"
#include "analysis/protection.hpp"
#include "analysis/split.hpp"
#include "analysis/train_forest.hpp"
#include "engine/base/error.hpp"
#include "sample_campaign.hpp"

namespace flipstorm
{
namespace
{

constexpr double kTolerance = 0.01;

/// A forest that claims to be trained on the campaign; its map says that nothing is critical.
ForestRecord untaught_forest(const CampaignRecord& campaign, const std::string& kind, std::uint64_t seed)
{
    ForestRecord forest;
    forest.kind = kind;
    forest.provenance.seed = seed;
    forest.test_share = 0.3;
    forest.tolerance = kTolerance;
    forest.tolerances.resize(1);
    forest.tolerances[0].tolerance = kTolerance;
    forest.tolerances[0].trained = true;
    forest.tolerances[0].rows = campaign.faults.size();
    const auto labels = critical_labels(campaign.outcomes, kTolerance);
    forest.tolerances[0].critical =
        static_cast<std::uint64_t>(std::count(labels.begin(), labels.end(), std::uint8_t{1}));
    for (std::size_t l = 0; l < campaign.header.layers.size(); ++l)
        forest.criticality.push_back(constant_layer(campaign.header.layers, l, 0));
    return forest;
}

/// Say that the bit of a fault is critical.
void flag(const CampaignRecord& campaign, std::size_t row, ForestRecord& forest)
{
    LayerCriticality& map = forest.criticality[static_cast<std::size_t>(campaign.faults.layer[row])];
    map.probability[campaign.faults.parameter[row] * static_cast<std::uint64_t>(map.bits) +
                    campaign.faults.bit[row]] = 255;
}

const ProtectionOption& option(const ProtectionRecord& record, const std::string& scheme)
{
    return *std::find_if(record.options.begin(), record.options.end(), [&](const ProtectionOption& o) {
        return o.scheme == scheme && (scheme != "sec_critical" || o.threshold == 0.5);
    });
}

TEST(UndoBalance, ByHand)
{
    // One critical in forty: what a balanced forest is undecided about has the prior of the sample.
    EXPECT_DOUBLE_EQ(undo_balance(0.5, 39), 1.0 / 40.0);
    EXPECT_DOUBLE_EQ(undo_balance(0.9, 9), 0.5);
    EXPECT_EQ(undo_balance(0.0, 39), 0.0);
    EXPECT_EQ(undo_balance(1.0, 39), 1.0);
    EXPECT_DOUBLE_EQ(undo_balance(0.3, 1), 0.3);
    EXPECT_GT(undo_balance(0.3, 0.5), 0.3);  // critical faults were the majority
}

struct Residual : ::testing::Test
{
    std::vector<LayerWeights> weights = testing::sample_weights(testing::sample_layers());
    CampaignRecord campaign = testing::sample_campaign(weights);
    std::vector<std::uint8_t> labels = critical_labels(campaign.outcomes, kTolerance);
};

TEST_F(Residual, HeldOutIsWhatTheForestDidNotSee)
{
    const ForestRecord forest = untaught_forest(campaign, "brf", 5);
    const TrainTest split = stratified_split(labels, 0.3, 5);
    const HeldOut held = held_out(campaign, forest);
    std::set<std::uint32_t> test(split.test.begin(), split.test.end());
    std::size_t critical = 0;
    for (const std::uint32_t row : split.test)
        critical += labels[row];
    EXPECT_EQ(held.critical.size(), critical);
    for (const std::uint32_t row : held.critical)
        EXPECT_TRUE(test.count(row) == 1 && labels[row] == 1);
    double trained[2] = {0, 0};
    for (const std::uint32_t row : split.train)
        ++trained[labels[row]];
    EXPECT_DOUBLE_EQ(held.balance, trained[0] / trained[1]);
    EXPECT_EQ(held_out(campaign, untaught_forest(campaign, "rf", 5)).balance, 1.0);

    ForestRecord none = forest;
    none.tolerances[0].trained = false;
    EXPECT_EQ(held_out(campaign, none).critical.size(), forest.tolerances[0].critical);
    EXPECT_EQ(held_out(campaign, none).balance, 1.0);
    ForestRecord other = forest;
    ++other.tolerances[0].critical;
    EXPECT_THROW(held_out(campaign, other), DataError);
}

TEST_F(Residual, WhatTheForestLearntByHeartDoesNotCount)
{
    const ShareEstimate critical = estimate_critical_share(campaign, kTolerance).network;
    ForestRecord forest = untaught_forest(campaign, "rf", 5);
    const TrainTest split = stratified_split(labels, 0.3, 5);
    for (const std::uint32_t row : split.train)
    {
        if (labels[row] != 0) flag(campaign, row, forest);
    }
    const ProtectionRecord by_heart = choose_protection(campaign, forest, {});
    EXPECT_NEAR(option(by_heart, "sec_critical").measured_residual, critical.share, 1e-12);

    ForestRecord clairvoyant = untaught_forest(campaign, "rf", 5);
    for (const std::uint32_t row : split.test)
    {
        if (labels[row] != 0) flag(campaign, row, clairvoyant);
    }
    const ProtectionRecord record = choose_protection(campaign, clairvoyant, {});
    EXPECT_EQ(option(record, "sec_critical").measured_residual, 0.0);
    EXPECT_EQ(option(record, "sec_critical").measured_low, 0.0);
    EXPECT_GT(option(record, "sec_critical").measured_high, 0.0);
}

TEST_F(Residual, MeasuredByHandWithStrataOfUnequalRates)
{
    for (int i = 0; i < 160; ++i)  // half of the faults of the second stratum
    {
        for (auto* column : {&campaign.faults.stratum, &campaign.faults.layer, &campaign.faults.out_channel,
                             &campaign.faults.in_channel})
            column->pop_back();
        campaign.faults.parameter.pop_back();
        campaign.faults.bit.pop_back();
        campaign.faults.sign.pop_back();
        campaign.faults.mask.pop_back();
        campaign.faults.effect.pop_back();
        campaign.faults.value_before.pop_back();
        campaign.faults.value_after.pop_back();
        campaign.outcomes.drop.pop_back();
        campaign.outcomes.stopped.pop_back();
    }
    labels = critical_labels(campaign.outcomes, kTolerance);
    ForestRecord forest = untaught_forest(campaign, "brf", 8);
    for (std::size_t row = 0; row < labels.size(); ++row)
    {
        if (labels[row] != 0 && campaign.faults.layer[row] == 0) flag(campaign, row, forest);
    }
    forest.criticality[1].probability[0] = 102;  // p = 0.4, below the threshold

    // A fault of the second stratum stands for two bits, one of the first for itself.
    double of_layer[2] = {0, 0};
    for (const std::uint32_t row : stratified_split(labels, 0.3, 8).test)
        of_layer[campaign.faults.layer[row]] += labels[row];
    const double sum = of_layer[0] + 2 * of_layer[1];
    const double size = sum * sum / (of_layer[0] + 4 * of_layer[1]);
    const ShareEstimate critical = estimate_critical_share(campaign, kTolerance).network;
    const ShareInterval want = product_interval(critical, wilson_interval(2 * of_layer[1] / sum, size));
    const ProtectionRecord record = choose_protection(campaign, forest, {});
    const ProtectionOption& got = option(record, "sec_critical");
    EXPECT_NEAR(got.measured_residual, want.share, 1e-12);
    EXPECT_NEAR(got.measured_low, want.low, 1e-12);
    EXPECT_NEAR(got.measured_high, want.high, 1e-12);
    EXPECT_GT(got.measured_low, 0.0);
    const ProtectionOption& none = option(record, "none");
    EXPECT_NEAR(none.measured_residual, critical.share, 1e-12);
    EXPECT_NEAR(none.measured_low, critical.low, 1e-12);
    EXPECT_NEAR(none.measured_high, critical.high, 1e-12);
    EXPECT_EQ(option(record, "sec_all").measured_high, 0.0);

    // Predicted: 72 bits for sure and one at 0.4 with the balance undone, of 896.
    const double balance = held_out(campaign, forest).balance;
    const double rare = 0.4 / (0.4 + 0.6 * balance);
    EXPECT_NEAR(none.predicted_residual, (72 + rare) / 896, 1e-12);
    EXPECT_NEAR(got.predicted_residual, rare / 896, 1e-12);
}

/// A network whose bits are critical at random, with probabilities that depend on layer and bit.
struct RandomNetwork
{
    LayerTable layers{{"conv", "fc"}, {576, 1000}, {8, 20}, {8, 50}, {16, 16}, {1, 1}, {}};
    std::vector<LayerWeights> weights = testing::sample_weights(layers);
    std::vector<std::vector<std::uint8_t>> critical;  // [layer][weight × bit]
    double share = 0;

    RandomNetwork()
    {
        RandomStream random(11, RandomPurpose::test);
        double all = 0;
        for (std::size_t l = 0; l < 2; ++l)
        {
            critical.emplace_back(layers.weights[l] * 16);
            for (std::size_t site = 0; site < critical[l].size(); ++site)
            {
                const std::size_t bit = site % 16;
                const double p = bit == 14 ? 0.8 : bit == 13 ? 0.3 : bit == 12 ? 0.05 : 0.002;
                critical[l][site] = random.uniform() < (l == 0 ? p : p / 4) ? 1 : 0;
                share += critical[l][site];
                ++all;
            }
        }
        share /= all;
    }

    /// `high` of 100 bits at positions 12 and above are injected, `low` of the others; a stratum per
    /// position.
    [[nodiscard]] CampaignRecord inject(std::uint64_t low, std::uint64_t high, std::uint64_t seed) const
    {
        RandomStream random(seed, RandomPurpose::test, 1);
        CampaignRecord campaign;
        campaign.header.layers = layers;
        campaign.header.tolerances = {kTolerance};
        for (std::int32_t layer = 0; layer < 2; ++layer)
        {
            const std::size_t l = layer == 0 ? 0 : 1;
            for (std::int32_t bit = 0; bit < 16; ++bit)
            {
                std::vector<std::uint64_t> order(layers.weights[l]);
                for (std::size_t w = 0; w < order.size(); ++w)
                    order[w] = w;
                const std::uint64_t faults = order.size() * (bit >= 12 ? high : low) / 100;
                for (std::size_t i = 0; i < faults; ++i)
                {
                    std::swap(order[i], order[i + random.below(order.size() - i)]);
                    const bool hit = critical[l][order[i] * 16 + static_cast<std::size_t>(bit)] != 0;
                    testing::add_fault(campaign, weights,
                                       static_cast<std::int32_t>(campaign.header.strata.size()), layer,
                                       order[i], static_cast<std::uint8_t>(bit), hit ? 0.1 : 0.0);
                }
                campaign.header.strata.layer.push_back(layer);
                campaign.header.strata.bit.push_back(bit);
                campaign.header.strata.population.push_back(order.size());
                campaign.header.strata.planned.push_back(faults);
                campaign.header.strata.evaluated.push_back(faults);
            }
        }
        return campaign;
    }
};

TEST(PredictedResidual, WithoutProtectionIsNearTheCriticalShare)
{
    const RandomNetwork network;
    const CampaignRecord campaign = network.inject(10, 50, 1);
    for (const char* kind : {"brf", "rf"})
    {
        ForestOptions options;
        options.kinds = {kind};
        options.trees = 60;
        options.folds = 0;
        options.tolerances = {kTolerance};
        options.tolerance = kTolerance;
        options.seed = 3;
        const ForestRecord forest = analyse_campaign(campaign, network.weights, options);
        const ProtectionRecord record = choose_protection(campaign, forest, {});
        double raw = 0;
        double bits = 0;
        for (const LayerCriticality& map : forest.criticality)
        {
            for (const std::uint8_t p : map.probability)
                raw += p / 255.0;
            bits += static_cast<double>(map.probability.size());
        }
        raw /= bits;
        if (kind == std::string("brf"))
        {
            EXPECT_GT(raw, 2 * network.share);
        }
        EXPECT_NEAR(option(record, "none").predicted_residual, network.share, 0.25 * network.share) << kind;
    }
}

TEST(MeasuredResidual, IntervalsHoldTheTruthAboutAsOftenAsPromised)
{
    const RandomNetwork network;
    // Under the code: three of four weights with a critical bit at position 14.
    std::vector<LayerCriticality> maps;
    double left = 0;
    double bits = 0;
    for (std::size_t l = 0; l < 2; ++l)
    {
        maps.push_back(constant_layer(network.layers, l, 0));
        for (std::size_t w = 0; w < network.layers.weights[l]; ++w)
        {
            const bool flagged = w % 4 != 0 && network.critical[l][w * 16 + 14] != 0;
            if (flagged) maps[l].probability[w * 16 + 14] = 255;
            for (std::size_t bit = 0; bit < 16; ++bit)
                left += flagged ? 0 : network.critical[l][w * 16 + bit];
            bits += 16;
        }
    }
    left /= bits;
    constexpr int kTrials = 400;
    int held = 0;
    for (std::uint64_t trial = 0; trial < kTrials; ++trial)
    {
        const CampaignRecord campaign = network.inject(5, 15, 100 + trial);
        ForestRecord forest = untaught_forest(campaign, "rf", trial);
        forest.criticality = maps;
        const ProtectionRecord record = choose_protection(campaign, forest, {});
        const ProtectionOption& got = option(record, "sec_critical");
        if (got.measured_low <= left && left <= got.measured_high) ++held;
    }
    EXPECT_GE(held, 0.925 * kTrials);
}

}  // namespace
}  // namespace flipstorm
