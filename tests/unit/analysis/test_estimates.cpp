#include "analysis/estimates.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "analysis/fault_population.hpp"
#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"
#include "sample_campaign.hpp"

namespace flipstorm
{
namespace
{

TEST(EstimateShare, SingleStratumIsWilson)
{
    const ShareEstimate e = estimate_share({{1'000'000'000'000, 100, 10}});
    EXPECT_DOUBLE_EQ(e.share, 0.1);
    EXPECT_NEAR(e.low, 0.05522914, 1e-7);
    EXPECT_NEAR(e.high, 0.17436566, 1e-7);
    EXPECT_EQ(e.covered, 1.0);
}

TEST(EstimateShare, StrataAreReweighted)
{
    // Worked out with the formulae in another program.
    const ShareEstimate e = estimate_share({{1000, 100, 40}, {3000, 50, 1}});
    EXPECT_NEAR(e.share, 0.25 * 0.4 + 0.75 * 0.02, 1e-12);
    EXPECT_NEAR(e.low, 0.08235433990450221, 1e-12);
    EXPECT_NEAR(e.high, 0.15835341368403733, 1e-12);
    EXPECT_EQ(e.faults, 150U);
    EXPECT_EQ(e.hits, 41U);
}

TEST(EstimateShare, NoHitsAndAllHits)
{
    // Clopper and Pearson: (1 − p)^n = 0.025.
    const ShareEstimate none = estimate_share({{1'000'000'000'000, 459, 0}});
    EXPECT_EQ(none.share, 0.0);
    EXPECT_EQ(none.low, 0.0);
    EXPECT_NEAR(none.high, 1 - std::pow(0.025, 1.0 / 459), 1e-9);
    const ShareEstimate all = estimate_share({{1'000'000'000'000, 459, 459}, {1'000'000'000'000, 459, 459}});
    EXPECT_EQ(all.share, 1.0);
    EXPECT_NEAR(all.low, std::pow(0.025, 1.0 / 918), 1e-9);
    EXPECT_EQ(all.high, 1.0);
}

TEST(EstimateShare, WholePopulationLeavesNoDoubt)
{
    const ShareEstimate e = estimate_share({{100, 100, 7}, {50, 50, 1}});
    EXPECT_NEAR(e.share, 8.0 / 150.0, 1e-12);
    EXPECT_NEAR(e.low, e.share, 1e-12);
    EXPECT_NEAR(e.high, e.share, 1e-12);
}

TEST(EstimateShare, StrataWithoutFaultsAreLeftOut)
{
    const ShareEstimate e = estimate_share({{100, 10, 5}, {300, 0, 0}});
    EXPECT_DOUBLE_EQ(e.share, 0.5);
    EXPECT_DOUBLE_EQ(e.covered, 0.25);
    EXPECT_TRUE(std::isnan(estimate_share({{100, 0, 0}}).share));
    EXPECT_TRUE(std::isnan(estimate_share({}).high));
}

TEST(EstimateShare, IntervalsHoldTheTruthAboutAsOftenAsPromised)
{
    RandomStream random(1, RandomPurpose::test);
    const double truth[3] = {0.3, 0.02, 0.0};
    const std::uint64_t population[3] = {1'000'000, 4'000'000, 5'000'000};
    const std::uint64_t faults[3] = {100, 400, 60};
    const double share = 0.1 * truth[0] + 0.4 * truth[1];
    constexpr int kTrials = 4000;
    int held = 0;
    for (int trial = 0; trial < kTrials; ++trial)
    {
        std::vector<StratumCount> strata;
        for (std::size_t h = 0; h < 3; ++h)
        {
            std::uint64_t hits = 0;
            for (std::uint64_t i = 0; i < faults[h]; ++i)
                hits += random.uniform() < truth[h] ? 1U : 0U;
            strata.push_back({population[h], faults[h], hits});
        }
        const ShareEstimate e = estimate_share(strata);
        if (e.low <= share && share <= e.high) ++held;
    }
    EXPECT_GT(held, 0.94 * kTrials);
    EXPECT_LT(held, 0.995 * kTrials);
}

/// How often the interval holds the truth with `faults` draws in each of many strata.
double coverage(const std::vector<double>& truth, const std::vector<std::uint64_t>& population,
                std::uint64_t faults)
{
    RandomStream random(4, RandomPurpose::test, faults);
    double share = 0;
    double whole = 0;
    for (std::size_t h = 0; h < truth.size(); ++h)
    {
        share += static_cast<double>(population[h]) * truth[h];
        whole += static_cast<double>(population[h]);
    }
    share /= whole;
    constexpr int kTrials = 3000;
    int held = 0;
    for (int trial = 0; trial < kTrials; ++trial)
    {
        std::vector<StratumCount> strata;
        for (std::size_t h = 0; h < truth.size(); ++h)
        {
            std::uint64_t hits = 0;
            for (std::uint64_t i = 0; i < faults; ++i)
                hits += random.uniform() < truth[h] ? 1U : 0U;
            strata.push_back({population[h], faults, hits});
        }
        const ShareEstimate e = estimate_share(strata);
        if (e.low <= share && share <= e.high) ++held;
    }
    return static_cast<double>(held) / kTrials;
}

TEST(EstimateShare, IntervalsHoldWithFewFaultsInManyStrata)
{
    constexpr std::size_t kStrata = 160;
    const std::vector<std::uint64_t> equal(kStrata, 1'000'000);
    std::vector<std::uint64_t> unequal;
    std::vector<double> falling;
    for (std::size_t h = 0; h < kStrata; ++h)
    {
        unequal.push_back(std::array{1'000'000U, 4'000'000U, 10'000'000U}[h % 3]);
        falling.push_back(static_cast<double>(h) / kStrata);
    }
    for (const std::uint64_t faults : {2U, 3U, 5U})
    {
        EXPECT_GE(coverage(std::vector<double>(kStrata, 0.05), equal, faults), 0.935) << faults;
        EXPECT_GE(coverage(std::vector<double>(kStrata, 0.3), equal, faults), 0.935) << faults;
        EXPECT_GE(coverage(std::vector<double>(kStrata, 0.3), unequal, faults), 0.935) << faults;
        EXPECT_GE(coverage(falling, unequal, faults), 0.935) << faults;
    }
}

/// How often an interval for a share of `expected` hits in 1,000 draws holds the truth: exactly, by summing
/// the binomial distribution.
double coverage_of_few(double expected, bool with_rule)
{
    constexpr std::uint64_t kDraws = 1000;
    const double p = expected / static_cast<double>(kDraws);
    double held = 0;
    for (std::uint64_t hits = 0; hits < 60; ++hits)
    {
        const auto k = static_cast<double>(hits);
        const double probability =
            std::exp(std::lgamma(kDraws + 1.0) - std::lgamma(k + 1) - std::lgamma(kDraws - k + 1) +
                     k * std::log(p) + (kDraws - k) * std::log1p(-p));
        const ShareInterval interval =
            with_rule ? static_cast<ShareInterval>(estimate_share({{1'000'000'000'000'000, kDraws, hits}}))
                      : wilson_interval(k / kDraws, kDraws);
        if (interval.low <= p && p <= interval.high) held += probability;
    }
    return held;
}

TEST(EstimateShare, WithFewHitsTheIntervalHoldsWhereWilsonsDoesNot)
{
    EXPECT_LT(coverage_of_few(0.17, false), 0.85);
    double mean = 0;
    int shares = 0;
    for (double expected = 0.02; expected < 12; expected += 0.05, ++shares)
    {
        EXPECT_GE(coverage_of_few(expected, true), 0.925) << expected;
        mean += coverage_of_few(expected, true);
    }
    EXPECT_GE(mean / shares, 0.95);
    EXPECT_GE(coverage_of_few(0.17, true), 0.97);
}

TEST(ProductInterval, ByHand)
{
    const ShareInterval half{0.5, 0.4, 0.7};
    const ShareInterval same = product_interval(half, {1, 1, 1});
    EXPECT_DOUBLE_EQ(same.share, 0.5);
    EXPECT_DOUBLE_EQ(same.low, 0.4);
    EXPECT_DOUBLE_EQ(same.high, 0.7);
    EXPECT_EQ(product_interval(half, {0, 0, 0}).high, 0.0);
    // 0.1 ± √((0.5 · 0.1)² + (0.2 · 0.1)² + (0.1 · 0.1 / 2)²) below, with 0.3 and 0.2 above; quantile 2.
    const ShareInterval both = product_interval(half, {0.2, 0.1, 0.5}, 2);
    EXPECT_NEAR(both.low, 0.1 - std::sqrt(0.0025 + 0.0004 + 0.000025), 1e-12);
    EXPECT_NEAR(both.high, 0.1 + std::sqrt(0.0225 + 0.0016 + 0.0009), 1e-12);
}

TEST(CriticalShare, OfNetworkAndLayersByHand)
{
    const auto weights = testing::sample_weights(testing::sample_layers());
    const CampaignRecord campaign = testing::sample_campaign(weights);  // every bit once: 576 and 320
    std::uint64_t in_fc1 = 0;
    for (std::size_t i = 0; i < campaign.faults.size(); ++i)
    {
        if (campaign.faults.layer[i] == 1 && campaign.outcomes.drop[i] > 0) ++in_fc1;
    }
    const CriticalShare share = estimate_critical_share(campaign, 0.01);
    EXPECT_NEAR(share.layers[0].share, 1.0 / 8.0, 1e-12);
    EXPECT_NEAR(share.layers[1].share, static_cast<double>(in_fc1) / 320.0, 1e-12);
    EXPECT_NEAR(share.network.share, (72.0 + static_cast<double>(in_fc1)) / 896.0, 1e-12);
    EXPECT_NEAR(estimate_critical_share(campaign, 0.05).layers[1].share, 0.0, 1e-12);
}

TEST(CriticalShare, OfBitsAndCellsByHand)
{
    const auto weights = testing::sample_weights(testing::sample_layers());
    const CampaignRecord campaign =
        testing::sample_campaign(weights);  // every bit once: 112 of each position
    const CriticalShare share = estimate_critical_share(campaign, 0.01);
    ASSERT_EQ(share.bits.size(), 8U);
    double in_fc1 = 0;
    for (std::size_t i = 0; i < campaign.faults.size(); ++i)
        in_fc1 += campaign.faults.layer[i] == 1 && campaign.outcomes.drop[i] > 0 ? 1 : 0;
    EXPECT_NEAR(share.bits[6].share, 72.0 / 112, 1e-12);
    EXPECT_NEAR(share.bits[6].high, 72.0 / 112, 1e-12);  // all of them were injected
    EXPECT_NEAR(share.bits[7].share, in_fc1 / 112, 1e-12);
    EXPECT_EQ(share.bits[0].share, 0);
    EXPECT_EQ(share.cells[0][6].share, 1);
    EXPECT_EQ(share.cells[0][7].share, 0);
    EXPECT_NEAR(share.cells[1][7].share, in_fc1 / 40, 1e-12);
    EXPECT_EQ(share.cells[1][7].faults, 40U);
    EXPECT_EQ(estimate_critical_share(campaign, 0.05).bits[7].share, 0);
}

// Bit 7 of conv1 is sampled ten times as densely as that of fc1: weights 72 and 40 count, not faults.
TEST(CriticalShare, BitsReweightTheirStrata)
{
    const auto weights = testing::sample_weights(testing::sample_layers());
    CampaignRecord campaign;
    campaign.header.layers = testing::sample_layers();
    campaign.header.tolerances = {0.01};
    campaign.header.strata = {{0, 1}, {7, 7}, {72, 40}, {60, 6}, {60, 6}};
    for (std::uint64_t w = 0; w < 60; ++w)
        testing::add_fault(campaign, weights, 0, 0, w, 7, w < 6 ? 0.3 : 0.0);
    for (std::uint64_t w = 0; w < 6; ++w)
        testing::add_fault(campaign, weights, 1, 1, w, 7, w < 3 ? 0.3 : 0.0);
    const CriticalShare share = estimate_critical_share(campaign, 0.01);
    const ShareEstimate expected = estimate_share({{72, 60, 6}, {40, 6, 3}});
    EXPECT_NEAR(share.bits[7].share, (72 * 0.1 + 40 * 0.5) / 112, 1e-12);
    EXPECT_DOUBLE_EQ(share.bits[7].low, expected.low);
    EXPECT_DOUBLE_EQ(share.bits[7].high, expected.high);
    EXPECT_TRUE(std::isnan(share.bits[6].share));
    EXPECT_TRUE(std::isnan(share.cells[0][6].share));
}

TEST(CriticalShare, PopulationsFollowTheFaultModel)
{
    CampaignHeader header;
    header.layers = testing::sample_layers();  // 72 and 40 weights of 8 bits
    // A stratum of one layer has the faults that the file says: some may be known already, and left out.
    header.strata = {{-1, 0, 1}, {-1, -1, 5}, {896, 570, 38}, {0, 0, 0}, {0, 0, 0}};
    const auto part = [&](std::size_t stratum, std::size_t layer, std::int32_t bit = -1) {
        return part_population(header, upset_of(header), stratum, layer, bit);
    };
    EXPECT_EQ(part(0, 0), 576U);
    EXPECT_EQ(part(0, 1, 3), 40U);
    EXPECT_EQ(part(1, 1), 0U);
    EXPECT_EQ(part(1, 0), 570U);
    EXPECT_EQ(part(1, 0, 3), 72U);
    EXPECT_EQ(part(2, 1), 38U);
    EXPECT_EQ(part(2, 1, 5), 38U);
    EXPECT_EQ(part(2, 1, 4), 0U);
    header.fault_model = "stuck_at";
    EXPECT_EQ(part(0, 0), 1152U);
    EXPECT_EQ(part(1, 0, 3), 144U);
    EXPECT_EQ(why_not_learnt(header), "");
    header.fault_model = "random_bits";
    header.upset_bits = 3;
    EXPECT_EQ(part(0, 0), 72U * 56U);
    EXPECT_EQ(part(0, 0, 7), 72U * 21U);
    EXPECT_EQ(part(0, 0, 1), 0U);
    EXPECT_NE(why_not_learnt(header).find("upsets of 3 random bits"), std::string::npos);
    header.layers.injected[1] = 0;
    EXPECT_EQ(part(0, 1), 0U);
    header.fault_model = "bit_flip";
    header.upset_bits = 1;
    EXPECT_NE(why_not_learnt(header).find("'fc1'"), std::string::npos);
    header.fault_model = "bitflip";
    EXPECT_THROW(static_cast<void>(upset_of(header)), DataError);
    header.fault_model = "bit_flip";
    header.upset_bits = 2;
    EXPECT_THROW(static_cast<void>(upset_of(header)), DataError);
}

TEST(CriticalShare, LayersOfAStratumOverTheWholeNetwork)
{
    const auto weights = testing::sample_weights(testing::sample_layers());
    CampaignRecord campaign = testing::sample_campaign(weights, 3);
    const CriticalShare by_layer = estimate_critical_share(campaign, 0.01);
    campaign.header.strata = {{-1}, {-1}, {896}, {campaign.faults.size()}, {campaign.faults.size()}};
    std::fill(campaign.faults.stratum.begin(), campaign.faults.stratum.end(), 0);
    const CriticalShare whole = estimate_critical_share(campaign, 0.01);
    for (std::size_t l = 0; l < 2; ++l)
    {
        EXPECT_NEAR(whole.layers[l].share, by_layer.layers[l].share, 1e-12);
        EXPECT_NEAR(whole.layers[l].high, by_layer.layers[l].high, 1e-12);
    }
    EXPECT_EQ(whole.network.faults, campaign.faults.size());
}

TEST(FaultWeights, SumToOneAndGiveTheEstimate)
{
    const auto weights = testing::sample_weights(testing::sample_layers());
    CampaignRecord campaign = testing::sample_campaign(weights, 2);
    for (int i = 0; i < 100; ++i)  // fewer faults of the second stratum
    {
        campaign.faults.stratum.pop_back();
        campaign.outcomes.drop.pop_back();
    }
    const std::vector<double> weight = fault_weights(campaign);
    EXPECT_NEAR(std::accumulate(weight.begin(), weight.end(), 0.0), 1.0, 1e-12);
    double critical = 0;
    for (std::size_t i = 0; i < weight.size(); ++i)
    {
        if (campaign.outcomes.drop[i] > 0.01) critical += weight[i];
    }
    EXPECT_NEAR(critical, estimate_critical_share(campaign, 0.01).network.share, 1e-12);
}

}  // namespace
}  // namespace flipstorm
