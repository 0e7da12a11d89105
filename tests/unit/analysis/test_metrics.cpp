#include "analysis/metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/base/philox.hpp"

namespace flipstorm
{
namespace
{

TEST(RocAuc, HandCases)
{
    // The example of scikit-learn's manual: labels 0 0 1 1, scores 0.1 0.4 0.35 0.8.
    EXPECT_DOUBLE_EQ(roc_auc({{0.1, 1, 0}, {0.4, 1, 0}, {0.35, 0, 1}, {0.8, 0, 1}}), 0.75);
    EXPECT_DOUBLE_EQ(roc_auc({{0.1, 1, 0}, {0.9, 0, 1}}), 1.0);
    EXPECT_DOUBLE_EQ(roc_auc({{0.9, 1, 0}, {0.1, 0, 1}}), 0.0);
    EXPECT_DOUBLE_EQ(roc_auc({{0.5, 3, 2}}), 0.5);
    // Critical 0.5 0.8, acceptable 0.5 0.5 0.2: (½ + ½ + 1 + 3) / 6.
    EXPECT_DOUBLE_EQ(roc_auc({{0.5, 2, 1}, {0.8, 0, 1}, {0.2, 1, 0}}), 5.0 / 6.0);
    EXPECT_TRUE(std::isnan(roc_auc({{0.5, 2, 0}, {0.8, 1, 0}})));
    EXPECT_TRUE(std::isnan(roc_auc({})));
}

TEST(RocAuc, CountsPairsAndIsTheAreaUnderTheCurve)
{
    RandomStream random(2, RandomPurpose::test);
    std::vector<ScoredCounts> rows;
    for (int i = 0; i < 200; ++i)
    {
        rows.push_back({static_cast<double>(random.below(40)) / 40, static_cast<double>(random.below(3)),
                        static_cast<double>(random.below(3))});
    }
    double won = 0;
    double pairs = 0;
    for (const ScoredCounts& c : rows)
    {
        for (const ScoredCounts& a : rows)
        {
            const auto weight = static_cast<double>(c.critical * a.acceptable);
            pairs += weight;
            won += weight * (c.score > a.score ? 1.0 : c.score == a.score ? 0.5 : 0.0);
        }
    }
    EXPECT_NEAR(roc_auc(rows), won / pairs, 1e-12);
    const RocRecord roc = roc_curve(rows);
    double area = 0;
    for (std::size_t i = 1; i < roc.threshold.size(); ++i)
    {
        area += (roc.false_positive_rate[i] - roc.false_positive_rate[i - 1]) *
                (roc.true_positive_rate[i] + roc.true_positive_rate[i - 1]) / 2;
    }
    EXPECT_NEAR(area, won / pairs, 1e-12);
}

TEST(RocCurve, RunsFromCornerToCornerWithoutNeedlessPoints)
{
    const RocRecord roc = roc_curve({{0.9, 0, 1}, {0.8, 0, 1}, {0.5, 0, 0}, {0.3, 1, 0}, {0.2, 1, 0}});
    EXPECT_EQ(roc.false_positive_rate, (std::vector<double>{0, 0, 1}));
    EXPECT_EQ(roc.true_positive_rate, (std::vector<double>{0, 1, 1}));
    EXPECT_EQ(roc.threshold, (std::vector<double>{std::numeric_limits<double>::infinity(), 0.8, 0.2}));
    EXPECT_TRUE(roc_curve({{0.5, 2, 0}}).threshold.empty());
}

TEST(Confusion, IsInPercentOfAllRowsAndADrawIsCritical)
{
    const ConfusionRecord c = confusion_percent({{0.5, 4, 1}, {0.51, 1, 3}, {0.0, 10, 1}});
    EXPECT_DOUBLE_EQ(c.acceptable_acceptable, 50.0);
    EXPECT_DOUBLE_EQ(c.acceptable_critical, 25.0);
    EXPECT_DOUBLE_EQ(c.critical_acceptable, 5.0);
    EXPECT_DOUBLE_EQ(c.critical_critical, 20.0);
    EXPECT_TRUE(std::isnan(confusion_percent({}).critical_critical));
}

TEST(MeanOfKnown, LeavesOutNaN)
{
    const double nan = std::nan("");
    EXPECT_DOUBLE_EQ(mean_of_known({1.0, nan, 2.0}), 1.5);
    EXPECT_TRUE(std::isnan(mean_of_known({nan})));
    EXPECT_TRUE(std::isnan(mean_of_known({})));
}

TEST(Metrics, AveragePrecisionAsComputedByHand)
{
    // Falling: 0.9 critical; 0.8 both; 0.4 acceptable; 0.1 critical. Precision 1, 2/3, -, 3/5 at each
    // critical row.
    const std::vector<ScoredCounts> rows{{0.1, 0, 1}, {0.8, 1, 1}, {0.9, 0, 1}, {0.4, 1, 0}};
    EXPECT_NEAR(average_precision(rows), (1 + 2.0 / 3 + 3.0 / 5) / 3, 1e-15);
    EXPECT_TRUE(std::isnan(average_precision({{0.5, 3, 0}})));
}

TEST(Metrics, ScoresAsComputedByHand)
{
    // Predicted critical: 2 of 3 critical rows, 1 of 4 acceptable ones.
    const std::vector<ScoredCounts> rows{{0.75, 0, 1}, {0.5, 1, 1}, {0.25, 3, 1}};
    const ScoreRecord scores = scores_of(rows);
    EXPECT_DOUBLE_EQ(scores.recall, 2.0 / 3);
    EXPECT_DOUBLE_EQ(scores.precision, 2.0 / 3);
    EXPECT_DOUBLE_EQ(scores.balanced_accuracy, (2.0 / 3 + 3.0 / 4) / 2);
    // Squares: 1/16 + 1/4 + 1/4 + 3/16 + 9/16 of seven rows.
    EXPECT_DOUBLE_EQ(scores.brier, (1.0 / 16 + 1.0 / 4 + 1.0 / 4 + 3.0 / 16 + 9.0 / 16) / 7);
    EXPECT_EQ(scores.auc, roc_auc(rows));
    EXPECT_EQ(scores.pr_auc, average_precision(rows));
    const ScoreRecord none = scores_of({{0.25, 3, 1}});
    EXPECT_EQ(none.recall, 0);
    EXPECT_TRUE(std::isnan(none.precision));
    EXPECT_TRUE(std::isnan(scores_of({{0.25, 3, 0}}).brier));
}

TEST(Metrics, IntervalsAllowForSharedTrainingRows)
{
    // Mean 0.8, s² = 0.01; (1/3 + 0.1/0.9) = 4/9; Student's quantile of 2 degrees of freedom in closed form.
    const double quantile = 0.95 * std::sqrt(2 / (4 * 0.975 * 0.025));
    const MeanInterval one = resampled_interval({0.7, 0.8, 0.9, std::nan("")}, 0.1);
    EXPECT_NEAR(one.mean, 0.8, 1e-15);
    EXPECT_NEAR(one.low, 0.8 - quantile * 0.1 * 2 / 3, 1e-12);
    EXPECT_EQ(one.high, 1.0);
    EXPECT_TRUE(std::isnan(resampled_interval({0.7}, 0.3).low));
    EXPECT_EQ(resampled_interval({0.7}, 0.3).mean, 0.7);
    EXPECT_TRUE(std::isnan(resampled_interval({}, 0.3).mean));
    EXPECT_NEAR(mean_interval({-0.1, 0.0, 0.1}).low, -quantile * 0.1 / std::sqrt(3.0), 1e-12);
}

}  // namespace
}  // namespace flipstorm
