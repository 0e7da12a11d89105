#include "analysis/calibration.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/base/philox.hpp"
#include "engine/base/statistics.hpp"

namespace flipstorm
{
namespace
{

LevelCounts no_rows()
{
    LevelCounts rows;
    rows.acceptable.assign(kCriticalityLevels, 0);
    rows.critical = rows.acceptable;
    rows.acceptable_weight.assign(kCriticalityLevels, 0);
    rows.critical_weight = rows.acceptable_squares = rows.critical_squares = rows.acceptable_weight;
    return rows;
}

/// Rows of a level that each stand for `weight`.
void add_rows(LevelCounts& rows, std::size_t level, std::uint64_t acceptable, std::uint64_t critical,
              double weight)
{
    rows.acceptable[level] += acceptable;
    rows.critical[level] += critical;
    rows.acceptable_weight[level] += weight * static_cast<double>(acceptable);
    rows.critical_weight[level] += weight * static_cast<double>(critical);
    rows.acceptable_squares[level] += weight * weight * static_cast<double>(acceptable);
    rows.critical_squares[level] += weight * weight * static_cast<double>(critical);
}

TEST(Calibration, LevelsKeepTheirEndsForWhatWasMeasured)
{
    EXPECT_EQ(predicted_level(0), 1);
    EXPECT_EQ(predicted_level(1), 1);
    EXPECT_EQ(predicted_level(128), 128);
    EXPECT_EQ(predicted_level(255), 254);
    EXPECT_EQ(predicted_level_of(0.5), 128);
    EXPECT_EQ(level_of_threshold(0.5), 128);
    EXPECT_EQ(level_of_threshold(1), 254);
    EXPECT_EQ(level_of_threshold(1e-6), 1);
    // A bit is flagged at a threshold exactly if its vote reaches it.
    for (int vote = 1; vote < 255; ++vote)
        EXPECT_EQ(level_of_threshold(vote / 255.0), predicted_level(static_cast<std::uint8_t>(vote)));
}

TEST(Calibration, PoolsAsComputedByHand)
{
    // Shares 0.1, 0.4, 0.2, 0.8: the middle ones violate the order and become (4 + 4) / (10 + 20).
    LevelCounts rows = no_rows();
    add_rows(rows, 10, 9, 1, 0.01);
    add_rows(rows, 20, 6, 4, 0.01);
    add_rows(rows, 30, 16, 4, 0.01);
    add_rows(rows, 40, 2, 8, 0.01);
    const CalibrationRecord table = calibrate(rows);
    EXPECT_DOUBLE_EQ(table.probability[10], 0.1);
    EXPECT_DOUBLE_EQ(table.probability[20], 8.0 / 30);
    EXPECT_DOUBLE_EQ(table.probability[25], 8.0 / 30);
    EXPECT_DOUBLE_EQ(table.probability[30], 8.0 / 30);
    EXPECT_DOUBLE_EQ(table.probability[40], 0.8);
    EXPECT_DOUBLE_EQ(table.probability[15], (0.1 + 8.0 / 30) / 2);
    EXPECT_DOUBLE_EQ(table.probability[1], 0.1);
    EXPECT_DOUBLE_EQ(table.probability[254], 0.8);
    const ShareInterval middle = clopper_pearson_interval(8.0 / 30, 30);
    EXPECT_NEAR(table.low[25], middle.low, 1e-9);
    EXPECT_NEAR(table.high[25], middle.high, 1e-9);
    EXPECT_EQ(table.low[15], table.low[10]);
    EXPECT_EQ(table.high[15], table.high[20]);
    // Beyond the levels of the rows one limit is not known.
    EXPECT_EQ(table.low[5], 0);
    EXPECT_EQ(table.high[5], table.high[10]);
    EXPECT_EQ(table.low[200], table.low[40]);
    EXPECT_EQ(table.high[200], 1);
    EXPECT_EQ(table.probability[kMeasuredAcceptable], 0);
    EXPECT_EQ(table.high[kMeasuredAcceptable], 0);
    EXPECT_EQ(table.probability[kMeasuredCritical], 1);
    EXPECT_EQ(table.low[kMeasuredCritical], 1);
}

TEST(Calibration, RowsCountByWhatTheyStandFor)
{
    // 10 critical rows of a small stratum beside 10 acceptable ones of one a hundred times as large.
    LevelCounts rows = no_rows();
    add_rows(rows, 100, 0, 10, 0.001);
    add_rows(rows, 100, 10, 0, 0.1);
    const CalibrationRecord table = calibrate(rows);
    EXPECT_NEAR(table.probability[100], 0.01 / 1.01, 1e-12);
    const double kish = 1.01 * 1.01 / (10 * 0.001 * 0.001 + 10 * 0.1 * 0.1);
    EXPECT_NEAR(table.high[100], clopper_pearson_interval(0.01 / 1.01, kish).high, 1e-12);
}

TEST(Calibration, WithoutRowsNothingIsKnown)
{
    const CalibrationRecord table = calibrate(no_rows());
    EXPECT_EQ(table.low[77], 0);
    EXPECT_EQ(table.high[77], 1);
    EXPECT_EQ(choose_threshold(no_rows(), 0.1, 0.95), 1 / 255.0);
}

TEST(Calibration, TablesRiseAndHoldTheTruth)
{
    // Level l is critical with a probability of (l / 255)²: of 40 tables nearly all of a level's intervals
    // hold it.
    RandomStream random(5, RandomPurpose::test);
    int held = 0;
    int all = 0;
    for (int table_number = 0; table_number < 40; ++table_number)
    {
        LevelCounts rows = no_rows();
        for (int i = 0; i < 3000; ++i)
        {
            const std::size_t level = 1 + static_cast<std::size_t>(random.below(254));
            const double p = static_cast<double>(level * level) / (255.0 * 255.0);
            const bool critical = random.uniform() < p;
            add_rows(rows, level, critical ? 0 : 1, critical ? 1 : 0, 1.0 / 3000);
        }
        const CalibrationRecord table = calibrate(rows);
        for (std::size_t level = 1; level < 255; ++level)
        {
            EXPECT_LE(table.probability[level - 1], table.probability[level]);
            EXPECT_LE(table.low[level], table.probability[level] + 1e-12);
            EXPECT_GE(table.high[level], table.probability[level] - 1e-12);
        }
        for (const std::size_t level : {30U, 90U, 150U, 210U})
        {
            const double p = static_cast<double>(level * level) / (255.0 * 255.0);
            held += table.low[level] <= p && p <= table.high[level] ? 1 : 0;
            ++all;
        }
    }
    EXPECT_GE(held, all * 85 / 100) << "of " << all;
}

TEST(Threshold, MissesNoMoreThanAskedFor)
{
    // 1,000 critical rows: 2 at level 5, 10 at 50, the others at 200.
    LevelCounts rows = no_rows();
    add_rows(rows, 5, 500, 2, 1e-4);
    add_rows(rows, 50, 500, 10, 1e-4);
    add_rows(rows, 200, 100, 988, 1e-4);
    // Missing both lower levels: 12 of 1,000, at most 1.9 % with 95 % confidence; the first alone: 0.63 %.
    EXPECT_DOUBLE_EQ(choose_threshold(rows, 0.02, 0.95), 200 / 255.0);
    EXPECT_DOUBLE_EQ(choose_threshold(rows, 0.01, 0.95), 50 / 255.0);
    EXPECT_DOUBLE_EQ(choose_threshold(rows, 0.004, 0.95), 5 / 255.0);
    // Even none of 1,000 does not confirm 1 in 1,000 with 99 %.
    EXPECT_DOUBLE_EQ(choose_threshold(rows, 0.001, 0.99), 1 / 255.0);
}

TEST(Threshold, KeepsItsPromise)
{
    // The critical share below a threshold is known: level² / 255². Of 400 draws of 300 critical rows few
    // choose a threshold that misses more than promised.
    RandomStream random(6, RandomPurpose::test);
    constexpr double kMissed = 0.1;
    int broken = 0;
    for (int draw = 0; draw < 400; ++draw)
    {
        LevelCounts rows = no_rows();
        for (int i = 0; i < 300; ++i)
        {
            const double level = 255.0 * std::sqrt(random.uniform());
            add_rows(rows, static_cast<std::size_t>(std::min(254.0, std::max(1.0, std::ceil(level)))), 0, 1,
                     1e-3);
        }
        const double threshold = choose_threshold(rows, kMissed, 0.9);
        const double below = threshold * 255 - 1;
        broken += below * below / (255.0 * 255.0) > kMissed ? 1 : 0;
    }
    EXPECT_LE(broken, 40 + 3 * 6);  // 10 % and three standard deviations
    EXPECT_GE(broken, 4) << "it promises too little";
}

}  // namespace
}  // namespace flipstorm
