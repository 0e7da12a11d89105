#include "analysis/train_forest.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <utility>

#include "analysis/calibration.hpp"
#include "analysis/metrics.hpp"
#include "analysis/protection.hpp"
#include "engine/base/error.hpp"
#include "sample_campaign.hpp"

namespace flipstorm
{
namespace
{

std::vector<double> aucs(const std::vector<ScoreRecord>& scores)
{
    return values_of(scores, &ScoreRecord::auc);
}

struct TrainForest : ::testing::Test
{
    std::vector<LayerWeights> weights = testing::sample_weights(testing::sample_layers());
    CampaignRecord campaign = testing::sample_campaign(weights);
    ForestOptions options;

    void SetUp() override
    {
        options.trees = 40;
        options.folds = 5;
        options.tolerances = campaign.header.tolerances;
        options.tolerance = 0.005;
        options.seed = 3;
    }
};

TEST_F(TrainForest, FindsThePlantedCriticality)
{
    for (const char* kind : {"rf", "brf"})
    {
        options.kinds = {kind};
        const ForestRecord forest = analyse_campaign(campaign, weights, options);
        ASSERT_EQ(forest.tolerances.size(), 4U);
        EXPECT_EQ(forest.kind, kind);
        EXPECT_EQ(forest.features.size(), 5U);
        EXPECT_EQ(forest.provenance.seed, 3U);
        const ToleranceRecord& first = forest.tolerances[0];
        EXPECT_TRUE(first.trained);
        EXPECT_EQ(first.rows, 896U);
        EXPECT_EQ(first.folds.size(), 5U);
        EXPECT_GT(mean_of_known(first.folds, &ScoreRecord::auc), 0.99);
        EXPECT_GT(mean_of_known(first.grouped_folds, &ScoreRecord::auc), 0.95);
        EXPECT_GT(first.test().auc, 0.99);
        EXPECT_FALSE(forest.roc.threshold.empty());
        const ConfusionRecord& c = first.confusion;
        EXPECT_NEAR(
            c.acceptable_acceptable + c.acceptable_critical + c.critical_acceptable + c.critical_critical,
            100.0, 1e-9);

        // The map against the truth, with the threshold of the paper.
        std::size_t missed = 0;
        std::size_t alarms = 0;
        for (std::int32_t layer = 0; layer < 2; ++layer)
        {
            const auto l = static_cast<std::size_t>(layer);
            const LayerCriticality& map = forest.criticality[l];
            for (std::uint64_t site = 0; site < map.probability.size(); ++site)
            {
                const std::uint64_t w = site / 8;
                const auto out = static_cast<std::int32_t>(w / (layer == 0 ? 18 : 8));
                const bool critical = testing::planted_drop(layer, static_cast<std::uint8_t>(site % 8), out,
                                                            std::signbit(weights[l].values[w])) > 0.005;
                const bool predicted = map.probability[site] >= 128;
                if (critical && !predicted) ++missed;
                if (!critical && predicted) ++alarms;
            }
        }
        // Of 85 critical and 811 acceptable bits, 30 % of them unseen; a balanced forest rather raises an
        // alarm than misses one.
        EXPECT_LE(missed, forest.kind == "brf" ? 2U : 6U);
        EXPECT_LE(alarms, forest.kind == "brf" ? 24U : 4U);
    }
}

TEST_F(TrainForest, OneClassTolerancesAreNotTrained)
{
    const ForestRecord forest = analyse_campaign(campaign, weights, options);
    const ToleranceRecord& none = forest.tolerances[3];
    EXPECT_EQ(none.critical, 0U);
    EXPECT_FALSE(none.trained);
    EXPECT_TRUE(std::isnan(none.test().auc));
    EXPECT_TRUE(std::isnan(none.confusion.critical_critical));
    EXPECT_EQ(none.folds.size(), 5U);
    EXPECT_TRUE(std::isnan(mean_of_known(none.folds, &ScoreRecord::auc)));
    EXPECT_TRUE(none.trees.feature.empty());
    EXPECT_TRUE(none.trees.first_node.empty());

    options.tolerance = 0.5;
    const ForestRecord quiet = analyse_campaign(campaign, weights, options);
    EXPECT_TRUE(quiet.roc.threshold.empty());
    EXPECT_EQ(quiet.criticality[0].probability, std::vector<std::uint8_t>(576, 0));

    std::fill(campaign.outcomes.drop.begin(), campaign.outcomes.drop.end(), 0.9);
    const ForestRecord loud = analyse_campaign(campaign, weights, options);
    EXPECT_FALSE(loud.tolerances[0].trained);
    EXPECT_EQ(loud.criticality[1].probability, std::vector<std::uint8_t>(320, 255));
}

TEST_F(TrainForest, EqualLabelsShareOneForest)
{
    const ForestRecord forest = analyse_campaign(campaign, weights, options);
    EXPECT_EQ(forest.tolerances[0].critical, forest.tolerances[1].critical);
    EXPECT_EQ(forest.tolerances[0].trees.feature, forest.tolerances[1].trees.feature);
    EXPECT_EQ(forest.tolerances[1].tolerance, 0.01);
    // What a tolerance gets does not depend on the others asked for.
    options.tolerances = {0.05};
    options.tolerance = 0.05;
    const ForestRecord alone = analyse_campaign(campaign, weights, options);
    EXPECT_EQ(alone.tolerances[0].trees.threshold, forest.tolerances[2].trees.threshold);
    EXPECT_EQ(aucs(alone.tolerances[0].folds), aucs(forest.tolerances[2].folds));
}

TEST_F(TrainForest, DoesNotDependOnTheNumberOfThreads)
{
    const ForestRecord one = analyse_campaign(campaign, weights, options);
    options.threads = 3;
    const ForestRecord three = analyse_campaign(campaign, weights, options);
    for (std::size_t l = 0; l < 2; ++l)
        EXPECT_EQ(one.criticality[l].probability, three.criticality[l].probability);
    EXPECT_EQ(aucs(one.tolerances[0].folds), aucs(three.tolerances[0].folds));
    EXPECT_EQ(one.tolerances[0].importance, three.tolerances[0].importance);
}

TEST_F(TrainForest, FewCriticalFaultsMeanFewerFolds)
{
    // Three critical faults, two of them in one cell: three folds, two grouped ones.
    std::fill(campaign.outcomes.drop.begin(), campaign.outcomes.drop.end(), 0.0);
    std::vector<std::size_t> of_cell;  // bit 3 of the first filter's positive weights
    for (std::size_t i = 0; i < campaign.faults.size() && of_cell.size() < 2; ++i)
    {
        if (campaign.faults.bit[i] == 3 && campaign.faults.sign[i] == 0 && campaign.faults.parameter[i] < 9)
        {
            of_cell.push_back(i);
        }
    }
    ASSERT_EQ(of_cell.size(), 2U);
    campaign.outcomes.drop[of_cell[0]] = campaign.outcomes.drop[of_cell[1]] = campaign.outcomes.drop[800] =
        0.2;
    options.tolerances = {0.01};
    options.tolerance = 0.01;
    const ForestRecord forest = analyse_campaign(campaign, weights, options);
    const auto known = [](const std::vector<double>& values) {
        return std::count_if(values.begin(), values.end(), [](double v) { return !std::isnan(v); });
    };
    EXPECT_TRUE(forest.tolerances[0].trained);
    EXPECT_EQ(known(aucs(forest.tolerances[0].folds)), 3);
    EXPECT_EQ(known(aucs(forest.tolerances[0].grouped_folds)), 2);
}

/// Keeps fits in memory.
struct MemoryStore : FitStore
{
    std::optional<FitResult> find(const FitKey& key) override
    {
        const auto found = fits.find(key);
        if (found == fits.end()) return std::nullopt;
        ++hits;
        return found->second;
    }
    void keep(const FitKey& key, const FitResult& result) override
    {
        EXPECT_TRUE(fits.emplace(key, result).second) << "a fit was done twice";
    }

    std::map<FitKey, FitResult> fits;
    int hits = 0;
};

/// The same bits, NaN included.
bool same(const std::vector<double>& a, const std::vector<double>& b)
{
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

void expect_same_judgement(const ToleranceRecord& a, const ToleranceRecord& b)
{
    for (const ScoreColumn& score : score_columns())
    {
        for (const auto member :
             {&ToleranceRecord::folds, &ToleranceRecord::grouped_folds, &ToleranceRecord::splits})
            EXPECT_TRUE(same(values_of(a.*member, score.member), values_of(b.*member, score.member)))
                << score.name;
    }
    EXPECT_TRUE(same({a.confusion.critical_critical}, {b.confusion.critical_critical}));
    EXPECT_TRUE(same(a.importance, b.importance));
}

TEST_F(TrainForest, StoppedAgainAndAgainItIsAsIfItNeverWas)
{
    const ForestRecord whole = analyse_campaign(campaign, weights, options);
    MemoryStore store;
    int stops = 0;
    std::optional<ForestRecord> forest;
    while (!forest)
    {
        ASSERT_LT(stops, 200) << "it makes no progress";
        const std::size_t before = store.fits.size();
        options.stop = [&] { return store.fits.size() >= before + 3; };
        try
        {
            forest = analyse_campaign(campaign, weights, options, &store);
        }
        catch (const Stopped&)
        {
            ++stops;
        }
    }
    // Two critical sets of 5 + 5 folds and a split, of the forest and the table.
    EXPECT_EQ(store.fits.size(), 44U);
    EXPECT_GE(stops, 6);
    EXPECT_GT(store.hits, 0);
    ASSERT_EQ(forest->tolerances.size(), whole.tolerances.size());
    for (std::size_t t = 0; t < whole.tolerances.size(); ++t)
    {
        const ToleranceRecord& found = forest->tolerances[t];
        const ToleranceRecord& expected = whole.tolerances[t];
        expect_same_judgement(found, expected);
        EXPECT_EQ(found.trees.threshold, expected.trees.threshold);
        EXPECT_EQ(found.trees.first_node, expected.trees.first_node);
    }
    for (std::size_t t = 0; t < whole.tolerances.size(); ++t)
        expect_same_judgement(forest->compare[0].tolerances[t], whole.compare[0].tolerances[t]);
    EXPECT_EQ(forest->roc.threshold, whole.roc.threshold);
    EXPECT_EQ(forest->roc.true_positive_rate, whole.roc.true_positive_rate);
    for (std::size_t l = 0; l < 2; ++l)
        EXPECT_EQ(forest->criticality[l].probability, whole.criticality[l].probability);
}

TEST_F(TrainForest, FitsDoNotDependOnTheirOrder)
{
    options.kinds = {"brf", "rf"};
    options.splits = 3;
    const ForestRecord whole = analyse_campaign(campaign, weights, options);
    ASSERT_EQ(whole.compare.size(), 2U);
    EXPECT_EQ(whole.compare[0].kind, "rf");
    EXPECT_EQ(whole.compare[1].kind, "table");

    // Shared between two, each backwards.
    CampaignForests one(campaign, options);
    CampaignForests two(campaign, options);
    std::vector<FitKey> keys = one.fits();
    EXPECT_EQ(keys.size(), 3U * 2U * (1U + 5U + 5U + 2U));
    std::map<FitKey, FitResult> results;
    for (std::size_t i = keys.size(); i-- > 0;)
        EXPECT_TRUE(results.emplace(keys[i], (i % 2 == 0 ? one : two).fit(keys[i])).second);
    const ForestRecord put = two.assemble([&results](const FitKey& key) { return results.at(key); }, weights);
    for (std::size_t t = 0; t < whole.tolerances.size(); ++t)
    {
        expect_same_judgement(put.tolerances[t], whole.tolerances[t]);
        EXPECT_EQ(put.tolerances[t].trees.threshold, whole.tolerances[t].trees.threshold);
        for (std::size_t k = 0; k < 2; ++k)
            expect_same_judgement(put.compare[k].tolerances[t], whole.compare[k].tolerances[t]);
    }
    EXPECT_EQ(put.roc.threshold, whole.roc.threshold);
    EXPECT_EQ(put.criticality[0].probability, whole.criticality[0].probability);
}

TEST_F(TrainForest, SplitsDiffer)
{
    options.splits = 3;
    const ForestRecord forest = analyse_campaign(campaign, weights, options);
    const std::vector<double> brier = values_of(forest.tolerances[0].splits, &ScoreRecord::brier);
    ASSERT_EQ(brier.size(), 3U);
    EXPECT_NE(brier[0], brier[1]);
    EXPECT_NE(brier[1], brier[2]);
    options.splits = 1;
    const ForestRecord single = analyse_campaign(campaign, weights, options);
    EXPECT_EQ(single.tolerances[0].splits[0].brier, brier[0]);
    EXPECT_EQ(single.tolerances[0].trees.threshold, forest.tolerances[0].trees.threshold);
}

TEST_F(TrainForest, WhatIsMeasuredIsNotPredicted)
{
    const ForestRecord forest = analyse_campaign(campaign, weights, options);
    const std::vector<std::uint8_t> labels = critical_labels(campaign.outcomes, options.tolerance);
    std::vector<std::vector<bool>> injected;
    for (const LayerCriticality& layer : forest.criticality)
        injected.emplace_back(layer.level.size(), false);
    for (std::size_t row = 0; row < campaign.faults.size(); ++row)
    {
        const auto l = static_cast<std::size_t>(campaign.faults.layer[row]);
        const LayerCriticality& layer = forest.criticality[l];
        const std::size_t bit =
            campaign.faults.parameter[row] * static_cast<std::size_t>(layer.bits) + campaign.faults.bit[row];
        injected[l][bit] = true;
        EXPECT_EQ(layer.level[bit], labels[row] != 0 ? 255 : 0);
    }
    for (std::size_t l = 0; l < injected.size(); ++l)
    {
        const LayerCriticality& layer = forest.criticality[l];
        for (std::size_t bit = 0; bit < layer.level.size(); ++bit)
        {
            if (injected[l][bit]) continue;
            EXPECT_EQ(layer.level[bit], predicted_level(layer.probability[bit]));
        }
    }
    // Every fault is judged by one fold; together they stand for the network.
    const LevelCounts& levels = forest.tolerances[0].levels;
    const auto sum = [](const auto& column) { return std::accumulate(column.begin(), column.end(), 0.0); };
    EXPECT_EQ(sum(levels.acceptable) + sum(levels.critical), 896);
    EXPECT_EQ(sum(levels.critical), static_cast<double>(forest.tolerances[0].critical));
    EXPECT_NEAR(sum(levels.acceptable_weight) + sum(levels.critical_weight), 1, 1e-9);
    // Votes of a balanced forest exaggerate; calibrated, the mean over the levels is the share itself.
    double mean = 0;
    for (std::size_t level = 0; level < kCriticalityLevels; ++level)
        mean += forest.calibration.probability[level] *
                (levels.acceptable_weight[level] + levels.critical_weight[level]);
    EXPECT_NEAR(mean, sum(levels.critical_weight), 1e-9);
}

TEST_F(TrainForest, StuckAtWhatTheyHoldTellsNothing)
{
    // Every second fault is stuck at what its bit holds.
    FaultTable& faults = campaign.faults;
    campaign.header.fault_model = "stuck_at_0";
    std::fill(faults.effect.begin(), faults.effect.end(), std::uint8_t{1});
    std::size_t stuck = 0;
    for (std::size_t row = 0; row < faults.size(); row += 2)
    {
        faults.value_after[row] = faults.value_before[row];
        campaign.outcomes.drop[row] = 0;
        ++stuck;
    }
    const ForestRecord forest = analyse_campaign(campaign, weights, options);
    std::size_t measured = 0;
    for (const LayerCriticality& layer : forest.criticality)
    {
        measured += static_cast<std::size_t>(
            std::count_if(layer.level.begin(), layer.level.end(),
                          [](std::uint8_t level) { return level == 0 || level == 255; }));
    }
    EXPECT_EQ(measured, faults.size() - stuck);
    const LevelCounts& levels = forest.tolerances[0].levels;
    EXPECT_EQ(std::accumulate(levels.acceptable.begin(), levels.acceptable.end(), std::uint64_t{0}) +
                  std::accumulate(levels.critical.begin(), levels.critical.end(), std::uint64_t{0}),
              faults.size() - stuck);
}

TEST_F(TrainForest, ThresholdAsAskedFor)
{
    EXPECT_EQ(analyse_campaign(campaign, weights, options).threshold, 0.5);
    options.max_missed = 0.2;
    const ForestRecord forest = analyse_campaign(campaign, weights, options);
    EXPECT_EQ(forest.threshold, choose_threshold(forest.tolerances[0].levels, 0.2, 0.95));
    EXPECT_NE(forest.threshold, 0.5);

    // What so few faults cannot confirm changes nothing in what harden chooses.
    HardenOptions harden;
    const ProtectionRecord usual =
        choose_protection(campaign, analyse_campaign(campaign, weights, options), harden);
    options.max_missed = 1e-4;
    const ForestRecord unconfirmed = analyse_campaign(campaign, weights, options);
    EXPECT_EQ(unconfirmed.threshold, 1 / 255.0);
    options.max_missed = 0;
    const ProtectionRecord without =
        choose_protection(campaign, analyse_campaign(campaign, weights, options), harden);
    const ProtectionRecord with = choose_protection(campaign, unconfirmed, harden);
    const auto chosen = [](const ProtectionRecord& record) {
        const ProtectionOption& option = record.options.at(static_cast<std::size_t>(record.chosen));
        return std::pair(option.scheme, option.total_overhead);
    };
    EXPECT_EQ(chosen(with), chosen(without));
    EXPECT_EQ(usual.options.at(static_cast<std::size_t>(usual.chosen)).threshold, forest.threshold);
}

TEST_F(TrainForest, ATableOfSharesMakesAMap)
{
    options.kinds = {"table"};
    const ForestRecord forest = analyse_campaign(campaign, weights, options);
    EXPECT_EQ(forest.kind, "table");
    EXPECT_TRUE(forest.compare.empty());
    EXPECT_TRUE(forest.tolerances[0].trained);
    EXPECT_TRUE(forest.tolerances[0].trees.first_node.empty());
    EXPECT_GT(forest.tolerances[0].test().auc, 0.5);
    // Equal in all weights of a layer.
    const std::vector<std::uint8_t>& map = forest.criticality[0].probability;
    const auto bits = static_cast<std::size_t>(forest.criticality[0].bits);
    for (std::size_t i = bits; i < map.size(); ++i)
        EXPECT_EQ(map[i], map[i - bits]);
}

TEST_F(TrainForest, StopsOnAllThreads)
{
    std::atomic<int> asked{0};
    options.threads = 3;
    options.trees = 400;
    options.stop = [&asked] { return ++asked > 50; };
    EXPECT_THROW(analyse_campaign(campaign, weights, options), Stopped);
    EXPECT_LT(asked, 200) << "it went on for long after the answer was yes";
}

TEST_F(TrainForest, RefusesBadInput)
{
    const auto with = [this](const auto& change) {
        ForestOptions changed = options;
        change(changed);
        return analyse_campaign(campaign, weights, changed);
    };
    EXPECT_THROW(with([](ForestOptions& o) { o.tolerances = {}; }), JobError);
    EXPECT_THROW(with([](ForestOptions& o) { o.tolerance = 0.3; }), JobError);
    EXPECT_THROW(with([](ForestOptions& o) { o.folds = 1; }), JobError);
    EXPECT_THROW(with([](ForestOptions& o) { o.splits = 0; }), JobError);
    EXPECT_THROW(with([](ForestOptions& o) { o.kinds = {}; }), JobError);
    EXPECT_THROW(with([](ForestOptions& o) { o.kinds = {"rf", "brf", "rf"}; }), JobError);
    EXPECT_THROW(with([](ForestOptions& o) { o.test_share = 1.0; }), JobError);
    EXPECT_THROW(with([](ForestOptions& o) { o.kinds = {"svm"}; }), JobError);
    EXPECT_THROW(analyse_campaign(campaign, {weights[0]}, options), DataError);
    const CampaignRecord empty;
    EXPECT_THROW(analyse_campaign(empty, weights, options), DataError);

    // A fault whose drop is only known to exceed 0.5 cannot be judged at 0.8.
    campaign.outcomes.drop[0] = 0.6;
    campaign.outcomes.stopped[0] = 1;
    EXPECT_NO_THROW(analyse_campaign(campaign, weights, options));
    EXPECT_THROW(with([](ForestOptions& o) { o.tolerances.push_back(0.8); }), DataError);
}

}  // namespace
}  // namespace flipstorm
