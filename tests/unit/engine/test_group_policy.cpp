#include "engine/evaluate/group_policy.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace flipstorm
{
namespace
{

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// Two faults on two images of three classes, in all of which the golden network is right.
class GroupPolicyTest : public testing::Test
{
  protected:
    GroupPolicyTest()
    {
        tile_.label = {0, 1};
        tile_.top1 = {0, 1};
        tile_.certainty = {1, 2};
        margins_.certain = {0.5F, 1};
        margins_.rivals = 1;
        margins_.nearest = {0.6F, 0};
        margins_.rest = {3, kInfinity};
        changes_[1].fault = 1;
    }

    GroupPolicy policy(double audit_share)
    {
        screen_ = {3, 3, audit_share};
        return GroupPolicy({&screen_, &spread_, &none_, 7}, {changes_, 2}, tile_, margins_, 3,
                           {tallies_, screens_});
    }

    GroupPolicy unscreened()
    {
        return {{nullptr, &spread_, &gains_, 7}, {changes_, 2}, tile_, margins_, 3, {tallies_, screens_}};
    }

    Tile tile_;
    TileMargins margins_;
    Screen screen_;
    std::vector<std::vector<float>> spread_{{1}};
    std::vector<double> gains_{2};
    std::vector<double> none_;
    WeightChange changes_[2];
    Tally tallies_[2];
    ScreenTally screens_[2];
};

LayerMeasure measure_of(float size, float proven, float small)
{
    LayerMeasure measure;
    measure.size = size;
    measure.proven = proven;
    measure.small = small;
    return measure;
}

TEST_F(GroupPolicyTest, WhatChangesNothingIsTalliedAsGolden)
{
    const GroupPolicy all = policy(0);
    for (const Tally& tally : tallies_)
        EXPECT_EQ(tally, (Tally{2, 2, 0, 0}));
    EXPECT_EQ(all.work().pairs, 4U);
}

TEST_F(GroupPolicyTest, AVerdictForEachPairAtTheLayer)
{
    GroupPolicy all = policy(0);
    LayerMeasure measures[6] = {measure_of(1, 2, 2), measure_of(1, 2, 2), measure_of(1, 0, 2),
                                measure_of(1, 0, 2), measure_of(1, 0, 1), measure_of(kNaN, 2, 2)};
    measures[0].masked = measures[0].overflows = true;
    measures[2].overflows = true;
    all.at_layer(0, measures, 6);
    EXPECT_EQ(all.work().masked, 1U);
    EXPECT_EQ(all.work().proven, 1U);
    EXPECT_EQ(all.overflowing().size(), 1U);
    EXPECT_EQ(all.work().screened, 1U);
    EXPECT_EQ(screens_[0].screened, 1U);
    for (std::size_t m = 0; m < 6; ++m)
        EXPECT_EQ(measures[m].follows, m >= 4) << m;  // as large as the limit, and NaN
}

TEST_F(GroupPolicyTest, ScreenedPairsAreAuditedWithTheirShare)
{
    GroupPolicy all = policy(1);
    LayerMeasure measure = measure_of(1, 0, 2);
    measure.fault = 1;
    all.at_layer(0, &measure, 1);
    EXPECT_TRUE(measure.follows);
    EXPECT_TRUE(measure.screened);
    const float turned[3] = {0, 1, 0};
    all.at_logits({1, 0, measure.screened}, turned);
    EXPECT_EQ(screens_[1], (ScreenTally{1, 1, 1}));
    EXPECT_EQ(tallies_[1], (Tally{2, 1, 1, 0}));

    Pair pair{0, 1, false};
    EXPECT_TRUE(all.screened_later(pair));
    EXPECT_TRUE(pair.screened);
    all.masked(pair);
    EXPECT_EQ(screens_[0], (ScreenTally{1, 1, 0}));
    EXPECT_EQ(tallies_[0], (Tally{2, 2, 0, 0}));
    EXPECT_EQ(all.work().audited, 1U);  // of those that came to the logits
    EXPECT_EQ(all.work().finished, 1U);
}

TEST_F(GroupPolicyTest, AnAuditedPairThatMayOverflowIsCountedOnce)
{
    GroupPolicy all = policy(1);
    LayerMeasure measure = measure_of(1, 0, 2);
    all.at_layer(0, &measure, 1);
    all.may_overflow({{0, 0, measure.screened}, 0, {}});
    ASSERT_EQ(all.overflowing().size(), 1U);
    EXPECT_EQ(all.work().finished, 0U);
    const float lost[3] = {0, kNaN, 0};
    all.at_logits(all.overflowing()[0].pair, lost);
    EXPECT_EQ(all.work().finished, 1U);
    EXPECT_EQ(screens_[0], (ScreenTally{1, 1, 1}));
    EXPECT_EQ(tallies_[0], (Tally{2, 1, 1, 1}));
}

TEST_F(GroupPolicyTest, ReachIsTheLargestChangeThatMovesNoMarginPastZero)
{
    const GroupPolicy all = policy(0);
    float move = 0.1F;
    EXPECT_FLOAT_EQ(all.reach(0, &move), 2);  // 0.6 / (3 · 0.1), before 3 / (2 · 3 · 0.1)
    EXPECT_TRUE(all.harmless(0, &move));
    move = -0.3F;
    EXPECT_FLOAT_EQ(all.reach(0, &move), 0.6F / 0.9F);
    EXPECT_FALSE(all.harmless(0, &move));
    margins_.rest[0] = 0.1F;
    move = 0.1F;
    EXPECT_FLOAT_EQ(all.reach(0, &move), 0.1F / 0.6F);
    EXPECT_FALSE(all.harmless(0, &move));
    move = 0;
    EXPECT_EQ(all.reach(0, &move), kInfinity);
    // A tie, and what says nothing.
    EXPECT_EQ(all.reach(1, &move), 0);
    EXPECT_FALSE(all.harmless(1, &move));
    move = kNaN;
    EXPECT_EQ(all.reach(0, &move), 0);
    EXPECT_FALSE(all.harmless(0, &move));
}

TEST_F(GroupPolicyTest, ScalesOfChanges)
{
    GroupPolicy all = policy(0);
    EXPECT_FLOAT_EQ(all.tau(0), 3);
    EXPECT_FLOAT_EQ(all.tau(1), 6);
    EXPECT_FALSE(all.proves());
    GroupPolicy exact = unscreened();
    EXPECT_FALSE(exact.screens());
    EXPECT_TRUE(exact.proves());
    EXPECT_FLOAT_EQ(exact.harmless_length(0, 0), 0.25F);
    LayerMeasure measure = measure_of(1, 0, 2);
    exact.at_layer(0, &measure, 1);
    EXPECT_TRUE(measure.follows);
    EXPECT_FALSE(measure.screened);
}

}  // namespace
}  // namespace flipstorm
