#include "analysis/protection.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <utility>

#include "analysis/estimates.hpp"
#include "analysis/train_forest.hpp"
#include "engine/base/error.hpp"
#include "sample_campaign.hpp"

namespace flipstorm
{
namespace
{

TEST(ChooseProtection, TableThreeOfThePaper)
{
    struct Row
    {
        int word_bits;
        double all, critical, signature, gain;
    };
    const Row rows[] = {{32, 18.75, 9.926, 3.125, 30.396}, {32, 18.75, 13.488, 3.125, 11.398},
                        {32, 18.75, 0.740, 3.125, 79.384}, {32, 18.75, 1.671, 3.125, 74.422},
                        {16, 31.25, 0.383, 6.250, 78.773}, {16, 31.25, 2.668, 6.250, 71.462},
                        {8, 50.00, 0.583, 12.500, 73.835}, {8, 50.00, 2.476, 12.500, 70.049}};
    for (const Row& row : rows)
    {
        // One linear layer; the first weights are predicted critical, as many as give the paper's CP.
        CampaignRecord campaign;
        campaign.header.layers = {{"fc"}, {100'000}, {1000}, {100}, {row.word_bits}, {1}, {}};
        const std::uint64_t bits = 100'000U * static_cast<std::uint64_t>(row.word_bits);
        campaign.header.strata = {{-1}, {-1}, {bits}, {1}, {1}};
        testing::add_fault(campaign, {{"fc", std::vector<float>(100'000, 1.0F)}}, 0, 0, 0, 0, 0.0);
        ForestRecord forest;
        forest.criticality.push_back(constant_layer(campaign.header.layers, 0, 0));
        const double flagged = 100'000 * row.critical / row.all;
        for (std::size_t w = 0; w < static_cast<std::size_t>(std::lround(flagged)); ++w)
            forest.criticality[0].probability[w * static_cast<std::size_t>(row.word_bits)] = 128;
        const OverheadRow got = choose_protection(campaign, forest, {}).overhead;
        EXPECT_DOUBLE_EQ(got.all_parameters, row.all);
        EXPECT_NEAR(got.critical_parameters, row.critical, 0.0005);
        EXPECT_DOUBLE_EQ(got.signature, row.signature);
        EXPECT_NEAR(got.gain, row.gain, 0.004);
    }
}

/// A map that flags the planted truth of conv1 fully and fc1's weight 0 with probability 0.4 at bit 7.
ForestRecord planted_forest(const CampaignRecord& campaign)
{
    ForestRecord forest;
    forest.tolerance = 0.01;
    for (std::size_t l = 0; l < 2; ++l)
        forest.criticality.push_back(constant_layer(campaign.header.layers, l, 0));
    for (std::size_t w = 0; w < 36; ++w)
        forest.criticality[0].probability[w * 8 + 6] = 255;  // half of conv1
    forest.criticality[1].probability[7] = 102;
    return forest;
}

struct Protection : ::testing::Test
{
    std::vector<LayerWeights> weights = testing::sample_weights(testing::sample_layers());
    CampaignRecord campaign = testing::sample_campaign(weights);
    ForestRecord forest = planted_forest(campaign);
};

const ProtectionOption& option(const ProtectionRecord& record, const std::string& scheme, double threshold)
{
    for (const ProtectionOption& o : record.options)
    {
        if (o.scheme == scheme && (std::isnan(threshold) || o.threshold == threshold)) return o;
    }
    throw Error("no option {} {}", scheme, threshold);
}

TEST_F(Protection, OptionsByHand)
{
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    HardenOptions options;
    options.thresholds = {0.4};
    options.ber = 1e-6;
    const ProtectionRecord record = choose_protection(campaign, forest, options);
    ASSERT_EQ(record.options.size(), 4U);
    EXPECT_EQ(record.ber, 1e-6);
    EXPECT_EQ(record.word_bits, 8);
    const double bits = 112 * 8;
    const double critical = estimate_critical_share(campaign, 0.01).network.share;

    const ProtectionOption& none = option(record, "none", kNaN);
    EXPECT_EQ(none.total_overhead, 0.0);
    EXPECT_NEAR(none.predicted_residual, 36.4 / bits, 1e-12);
    EXPECT_NEAR(none.measured_residual, critical, 1e-12);
    EXPECT_NEAR(none.measured_low, critical, 1e-12);  // every bit was injected
    EXPECT_NEAR(none.measured_high, critical, 1e-12);
    EXPECT_TRUE(none.pareto);

    const ProtectionOption& all = option(record, "sec_all", kNaN);
    EXPECT_EQ(all.flagged_share, 1.0);
    EXPECT_EQ(all.parity_bits, 112U * 4U);
    EXPECT_EQ(all.signature_bits, 0U);
    EXPECT_DOUBLE_EQ(all.total_overhead, 50.0);
    EXPECT_EQ(all.predicted_residual, 0.0);
    EXPECT_EQ(all.measured_residual, 0.0);
    EXPECT_EQ(all.measured_high, 0.0);

    const ProtectionOption& half = option(record, "sec_critical", 0.5);
    EXPECT_NEAR(half.flagged_share, 36.0 / 112.0, 1e-12);
    EXPECT_EQ(half.parity_bits, 144U);
    EXPECT_EQ(half.signature_bits, 112U);
    EXPECT_NEAR(half.total_overhead, 100.0 * 256.0 / bits, 1e-12);
    EXPECT_NEAR(half.predicted_residual, 0.4 / bits, 1e-12);
    EXPECT_NEAR(half.measured_residual, critical - 36.0 / bits, 1e-12);

    const ProtectionOption& low = option(record, "sec_critical", 0.4);
    EXPECT_EQ(low.parity_bits, 148U);
    EXPECT_EQ(low.predicted_residual, 0.0);
    EXPECT_TRUE(low.pareto);
    EXPECT_FALSE(all.pareto);

    EXPECT_DOUBLE_EQ(record.overhead.all_parameters, 50.0);
    EXPECT_NEAR(record.overhead.critical_parameters, 100.0 * 144.0 / bits, 1e-12);
    EXPECT_DOUBLE_EQ(record.overhead.signature, 12.5);
    EXPECT_NEAR(record.overhead.gain, 100.0 * (1 - 256.0 / 448.0), 1e-12);
    EXPECT_EQ(record.options[static_cast<std::size_t>(record.chosen)].threshold, 0.5);
    for (std::size_t w = 0; w < 72; ++w)
        EXPECT_EQ(record.signature[0].flagged[w], w < 36 ? 1 : 0);
    EXPECT_EQ(record.signature[1].flagged, std::vector<std::uint8_t>(40, 0));
}

TEST_F(Protection, MapsAreMatchedByTheNameOfTheLayer)
{
    const ProtectionRecord straight = choose_protection(campaign, forest, {});
    std::swap(forest.criticality[0], forest.criticality[1]);
    const ProtectionRecord swapped = choose_protection(campaign, forest, {});
    for (std::size_t l = 0; l < 2; ++l)
    {
        EXPECT_EQ(swapped.signature[l].layer, campaign.header.layers.name[l]);
        EXPECT_EQ(swapped.signature[l].flagged, straight.signature[l].flagged);
    }
    for (std::size_t i = 0; i < straight.options.size(); ++i)
    {
        EXPECT_EQ(swapped.options[i].parity_bits, straight.options[i].parity_bits);
        EXPECT_EQ(swapped.options[i].measured_residual, straight.options[i].measured_residual);
    }
}

TEST_F(Protection, IntervalSurvivesTheFile)
{
    ProtectionRecord record = choose_protection(campaign, forest, {});
    record.options[0].measured_low = 0.25;
    record.options[0].measured_high = 0.75;
    record.options[0].measured_residual = 0.5;
    const auto file =
        std::filesystem::temp_directory_path() / ("flipstorm-interval-" + std::to_string(::getpid()) + ".h5");
    write_protection(file, record);
    const ProtectionRecord read = read_protection(file);
    std::filesystem::remove(file);
    EXPECT_EQ(read.options.at(0).measured_low, 0.25);
    EXPECT_EQ(read.options.at(0).measured_high, 0.75);
}

TEST_F(Protection, ChoosesTheSafestOfTheSchemesAllowed)
{
    HardenOptions options;
    options.options = {"none", "sec_all"};
    const ProtectionRecord all = choose_protection(campaign, forest, options);
    EXPECT_EQ(all.options[static_cast<std::size_t>(all.chosen)].scheme, "sec_all");
    EXPECT_EQ(all.signature[1].flagged, std::vector<std::uint8_t>(40, 1));
    options.options = {"none"};
    const ProtectionRecord none = choose_protection(campaign, forest, options);
    EXPECT_EQ(none.signature[0].flagged, std::vector<std::uint8_t>(72, 0));
    EXPECT_NEAR(none.overhead.gain, all.overhead.gain, 1e-12);
    // Nothing predicted critical: doing nothing is as safe as protecting all, and cheaper.
    for (LayerCriticality& map : forest.criticality)
        std::fill(map.probability.begin(), map.probability.end(), 0);
    options.options = {"sec_all", "none"};
    const ProtectionRecord idle = choose_protection(campaign, forest, options);
    EXPECT_EQ(idle.options[static_cast<std::size_t>(idle.chosen)].scheme, "none");
    // Every parameter has a bit predicted critical: all of them without a signature are as safe, and cheaper.
    for (LayerCriticality& map : forest.criticality)
        std::fill(map.probability.begin(), map.probability.end(), 255);
    const ProtectionRecord full = choose_protection(campaign, forest, {});
    EXPECT_EQ(full.options[static_cast<std::size_t>(full.chosen)].scheme, "sec_all");
    EXPECT_LT(full.options[static_cast<std::size_t>(full.chosen)].total_overhead,
              option(full, "sec_critical", 0.5).total_overhead);
}

TEST_F(Protection, CodesOverWordsOf64Bits)
{
    HardenOptions options;
    options.options = {"sec_64", "sec_ded_64"};
    const ProtectionRecord record = choose_protection(campaign, forest, options);
    // 112 words of eight bits: 14 of 64.
    EXPECT_EQ(record.options[0].parity_bits, 14U * 7);
    EXPECT_EQ(record.options[1].parity_bits, 14U * 8);
    EXPECT_EQ(record.options[1].predicted_residual, 0);
}

TEST_F(Protection, OptimizedKeepsItsBounds)
{
    const std::vector<LayerWeights> stored = testing::sample_weights_of_words(campaign.header.layers);
    const std::vector<StoredTensor> words{stored[0].words, stored[1].words};
    HardenOptions options;
    options.options = {"none", "sec_critical", "optimized"};
    const ProtectionRecord record = choose_protection(campaign, forest, options, words);
    const ProtectionOption& paper = option(record, "sec_critical", 0.5);
    const ProtectionOption& best = record.options.at(static_cast<std::size_t>(record.chosen));
    EXPECT_EQ(best.scheme, "optimized");
    EXPECT_LE(best.predicted_residual, 0.1 * paper.predicted_residual);
    EXPECT_LT(best.total_overhead, paper.total_overhead);
    ASSERT_EQ(record.plan.size(), 2U);
    std::uint64_t bits = 0;
    double before = 0;
    double after = 0;
    for (std::size_t l = 0; l < 2; ++l)
    {
        const LayerProtection& layer = record.plan[l];
        EXPECT_EQ(layer.layer, campaign.header.layers.name[l]);
        EXPECT_EQ(layer.weights, campaign.header.layers.weights[l]);
        bits += layer.extra_bits;
        before += layer.critical_before;
        after += layer.critical_after;
        EXPECT_EQ(record.signature[l].flagged,
                  std::vector<std::uint8_t>(layer.weights, layer.code.code ? 1 : 0));
    }
    EXPECT_EQ(bits, best.parity_bits);
    EXPECT_NEAR(before, 36.4, 1e-9);
    EXPECT_NEAR(after / (112 * 8), best.predicted_residual, 1e-12);
    // The planted truth is conv1's bit 6, 72 faults, and faults of fc1's bit 7.
    const auto safe = [&](std::size_t layer, unsigned bit) {
        const LayerCode& code = record.plan[layer].code;
        return ((code.forced | code.copies | code.covered) >> bit & 1U) == 1;
    };
    EXPECT_TRUE(safe(0, 6));
    const double critical = estimate_critical_share(campaign, 0.01).network.share;
    EXPECT_NEAR(best.measured_residual, safe(1, 7) ? 0 : critical - 72.0 / (112 * 8), 1e-9);

    // The front holds what is chosen, and ends with nothing left.
    bool on_front = false;
    for (std::size_t i = 0; i < record.front.size(); ++i)
    {
        const FrontPoint& point = record.front[i];
        on_front =
            on_front || (point.extra_bits == bits && point.predicted_residual == best.predicted_residual);
        if (i == 0) continue;
        EXPECT_LE(point.predicted_residual, record.front[i - 1].predicted_residual);
    }
    EXPECT_TRUE(on_front);

    options.max_overhead = 0;
    EXPECT_EQ(option(choose_protection(campaign, forest, options, words), "optimized", NAN).parity_bits, 0U);
    options.max_overhead.reset();
    options.max_residual = 1;
    EXPECT_EQ(option(choose_protection(campaign, forest, options), "optimized", NAN).parity_bits, 0U);
    options.max_residual = 0;
    EXPECT_NEAR(option(choose_protection(campaign, forest, options), "optimized", NAN).predicted_residual, 0,
                1e-9);
}

TEST_F(Protection, RefusesBadInput)
{
    HardenOptions options;
    options.options = {"tmr"};
    EXPECT_THROW(choose_protection(campaign, forest, options), JobError);
    options.options = {};
    EXPECT_THROW(choose_protection(campaign, forest, options), JobError);
    options = {};
    options.thresholds = {0.0};
    EXPECT_THROW(choose_protection(campaign, forest, options), JobError);
    forest.tolerances.resize(1);
    forest.tolerances[0].tolerance = forest.tolerance;
    forest.tolerances[0].trained = true;
    forest.tolerances[0].rows = campaign.faults.size() + 1;
    EXPECT_THROW(choose_protection(campaign, forest, {}), DataError);
    forest.tolerances.clear();
    forest.criticality[1].layer = "fc2";
    EXPECT_THROW(choose_protection(campaign, forest, {}), DataError);
    forest.criticality.pop_back();
    EXPECT_THROW(choose_protection(campaign, forest, {}), DataError);
}

TEST(ChooseProtection, WhatWasMeasuredCriticalIsProtected)
{
    const std::vector<LayerWeights> weights = testing::sample_weights(testing::sample_layers());
    const CampaignRecord campaign = testing::sample_campaign(weights);
    ForestOptions options;
    options.trees = 20;
    options.folds = 4;
    options.tolerances = campaign.header.tolerances;
    options.tolerance = 0.005;
    options.max_missed = 0.3;
    const ForestRecord forest = analyse_campaign(campaign, weights, options);
    HardenOptions harden;
    harden.options = {"none", "sec_critical"};
    const ProtectionRecord record = choose_protection(campaign, forest, harden);
    // The forest's own threshold is chosen.
    EXPECT_EQ(record.options.at(static_cast<std::size_t>(record.chosen)).threshold, forest.threshold);

    const std::vector<std::uint8_t> labels = critical_labels(campaign.outcomes, forest.tolerance);
    std::size_t critical = 0;
    for (std::size_t row = 0; row < labels.size(); ++row)
    {
        if (labels[row] == 0) continue;
        const auto layer = static_cast<std::size_t>(campaign.faults.layer[row]);
        EXPECT_EQ(record.signature[layer].flagged[campaign.faults.parameter[row]], 1) << "fault " << row;
        ++critical;
    }
    EXPECT_GT(critical, 10U);

    // A measured bit alone flags its parameter at every threshold, and one that all were acceptable of at
    // none.
    ForestRecord edited = forest;
    LayerCriticality& map = edited.criticality[0];
    std::fill(map.level.begin(), map.level.end(), std::uint8_t{0});
    map.level[static_cast<std::size_t>(map.bits) * 3 + 1] = 255;
    for (LayerCriticality& other : edited.criticality)
    {
        if (&other != &map) std::fill(other.level.begin(), other.level.end(), std::uint8_t{0});
    }
    const ProtectionRecord one = choose_protection(campaign, edited, harden);
    double words = 0;
    for (const LayerCriticality& layer : edited.criticality)
        words += static_cast<double>(layer.weights);
    for (const ProtectionOption& option : one.options)
    {
        if (option.scheme != "sec_critical") continue;
        EXPECT_DOUBLE_EQ(option.flagged_share, 1 / words);
        EXPECT_EQ(option.predicted_residual, 0);  // all others were measured acceptable
    }
    EXPECT_EQ(one.signature[0].flagged[3], 1);
}

}  // namespace
}  // namespace flipstorm
