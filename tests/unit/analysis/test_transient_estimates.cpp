#include "analysis/transient_estimates.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "analysis/transient_report.hpp"
#include "engine/base/philox.hpp"

namespace flipstorm
{
namespace
{

/// A campaign of two layers; each fault strikes `images` images.
TransientCampaignRecord campaign_of(std::uint32_t images)
{
    TransientCampaignRecord campaign;
    TransientHeader& header = campaign.header;
    header.campaign.target = "feature_maps";
    header.campaign.images = 100;
    header.campaign.golden_correct = 90;
    header.campaign.layers = {{"conv<1>", "fc"}, {8, 6}, {2, 3}, {1, 2}, {32, 32}};
    header.campaign.strata = {{0, 1}, {-1, -1}, {3U << 20U, 1U << 20U}, {10, 10}, {0, 0}};
    header.images_per_fault = images;
    return campaign;
}

void add(TransientCampaignRecord& campaign, std::int32_t layer, std::uint32_t masked, std::uint32_t tolerable,
         std::uint32_t mismatches, std::uint32_t nonfinite, double drop)
{
    campaign.faults.stratum.push_back(layer);
    campaign.faults.layer.push_back(layer);
    campaign.faults.geometry.push_back(layer == 0 ? 4 : 0);
    TransientOutcomeTable& outcomes = campaign.outcomes;
    outcomes.evaluated.push_back(masked + tolerable + mismatches);
    outcomes.masked.push_back(masked);
    outcomes.tolerable.push_back(tolerable);
    outcomes.mismatches.push_back(mismatches);
    outcomes.nonfinite.push_back(nonfinite);
    outcomes.correct.push_back(0);
    outcomes.drop.push_back(drop);
}

TEST(TransientEstimates, OneImagePerFaultIsTheStratifiedShareOfFaults)
{
    TransientCampaignRecord campaign = campaign_of(1);
    RandomStream random(4, RandomPurpose::test);
    std::vector<StratumCount> counts{{3U << 20U, 0, 0}, {1U << 20U, 0, 0}};
    for (int i = 0; i < 300; ++i)
    {
        const std::int32_t layer = i % 3 == 0 ? 1 : 0;
        const bool hit = random.uniform() < (layer == 0 ? 0.1 : 0.6);
        add(campaign, layer, 0, hit ? 0 : 1, hit ? 1 : 0, 0, hit ? 1 : 0);
        ++counts[static_cast<std::size_t>(layer)].faults;
        counts[static_cast<std::size_t>(layer)].hits += hit ? 1 : 0;
    }
    const ShareEstimate want = estimate_share(counts);
    const Vulnerability got = network_vulnerability(campaign);
    EXPECT_EQ(got.faults, 300U);
    EXPECT_NEAR(got.avf.share, want.share, 1e-12);
    EXPECT_NEAR(got.avf.low, want.low, 1e-9);
    EXPECT_NEAR(got.avf.high, want.high, 1e-9);
    EXPECT_NEAR(got.regret, want.share, 1e-12);
    const ShareEstimate of_layer = estimate_share({counts[1]});
    const std::vector<Vulnerability> layers = layer_vulnerability(campaign);
    EXPECT_NEAR(layers[1].avf.low, of_layer.low, 1e-9);
    EXPECT_NEAR(layers[1].avf.high, of_layer.high, 1e-9);
    EXPECT_EQ(layers[0].masked.share, 0);
    EXPECT_EQ(layers[0].masked.low, 0);
}

TEST(TransientEstimates, ByHandWithImagesThatShareAFault)
{
    // One stratum: rates 1, 0, 1/2, 1/2. Mean 1/2, s² = 1/8; population as good as infinite, so c = 1/4,
    // u = s² + V and V = (s² + u / 4) / 4 → V (1 − 1/16) = 5/4 · s² / 4 = 5/128 → V = 1/24.
    StratumSum sum{1e18, 0, 0, 0};
    for (const double rate : {1.0, 0.0, 0.5, 0.5})
        sum.add(rate);
    const StratifiedMean mean = stratified_mean({sum});
    EXPECT_DOUBLE_EQ(mean.mean, 0.5);
    EXPECT_NEAR(mean.variance, 1.0 / 24, 1e-15);
    EXPECT_NEAR(mean.independent, 4, 1e-12);
    // Effective size 1/4 / V + 1 = 7, whatever the number of images.
    const ShareInterval share = share_of(mean, 4000);
    const ShareInterval wilson = wilson_interval(0.5, 7);
    EXPECT_NEAR(share.low, wilson.low, 1e-12);
    EXPECT_NEAR(share.high, wilson.high, 1e-12);
    // All faults alike: at least their images differ.
    EXPECT_NEAR(share_of({0.5, 0, 4, 4}, 40).low, wilson_interval(0.5, 40).low, 1e-12);
    EXPECT_TRUE(std::isnan(share_of(stratified_mean({StratumSum{5, 0, 0, 0}}), 0).share));
    StratumSum single{100, 0, 0, 0};
    single.add(0.25);
    EXPECT_TRUE(std::isinf(stratified_mean({single}).variance));
}

TEST(TransientEstimates, FaultsThatStrikeAllImagesAlikeAreNoMoreThanFaults)
{
    // All images of a fault fare alike: the interval is that of the faults, not of 20 times as many
    // inferences.
    TransientCampaignRecord one = campaign_of(1);
    TransientCampaignRecord many = campaign_of(20);
    for (int i = 0; i < 60; ++i)
    {
        const bool hit = i % 4 == 0;
        add(one, i % 2, hit ? 0 : 1, 0, hit ? 1 : 0, 0, hit ? 1 : 0);
        add(many, i % 2, hit ? 0 : 20, 0, hit ? 20 : 0, 0, hit ? 1 : 0);
    }
    const Vulnerability a = network_vulnerability(one);
    const Vulnerability b = network_vulnerability(many);
    EXPECT_NEAR(a.avf.low, b.avf.low, 1e-12);
    EXPECT_NEAR(a.avf.high, b.avf.high, 1e-12);
    EXPECT_NEAR(a.regret_high, b.regret_high, 1e-12);
    EXPECT_EQ(b.inferences, 20 * a.inferences);
}

TEST(TransientEstimates, TheClassesMakeUpTheWhole)
{
    TransientCampaignRecord campaign = campaign_of(10);
    add(campaign, 0, 5, 3, 2, 1, 0.1);
    add(campaign, 0, 10, 0, 0, 0, 0);
    add(campaign, 1, 0, 4, 6, 0, 0.5);
    add(campaign, 1, 2, 2, 6, 6, 0.4);
    const Vulnerability v = network_vulnerability(campaign);
    EXPECT_NEAR(v.masked.share, 0.75 * 0.75 + 0.25 * 0.1, 1e-12);
    EXPECT_NEAR(v.tolerable.share, 0.75 * 0.15 + 0.25 * 0.3, 1e-12);
    EXPECT_NEAR(v.critical.share, 0.75 * 0.05 + 0.25 * 0.3, 1e-12);
    EXPECT_NEAR(v.nonfinite.share, 0.75 * 0.05 + 0.25 * 0.3, 1e-12);
    EXPECT_NEAR(v.avf.share, v.critical.share + v.nonfinite.share, 1e-12);
    EXPECT_NEAR(v.regret, 0.75 * 0.05 + 0.25 * 0.45, 1e-12);
    EXPECT_LT(v.regret_low, v.regret);
}

TEST(TransientReport, ShowsLayersKindsAndNetwork)
{
    TransientCampaignRecord campaign = campaign_of(10);
    add(campaign, 0, 5, 3, 2, 1, 0.1);
    add(campaign, 0, 10, 0, 0, 0, 0);
    add(campaign, 1, 0, 4, 6, 0, 0.5);
    const ResultTable table = vulnerability_table(campaign);
    ASSERT_EQ(table.rows.size(), 3U);
    EXPECT_EQ(table.rows[0][1], "75.00");
    EXPECT_EQ(table.rows[0][3], "75.00");  // masked
    EXPECT_EQ(table.rows[2][0], "network");
    for (const auto& row : table.rows)
        EXPECT_EQ(row.size(), table.columns.size());
    const ResultTable kinds = fault_kind_table(campaign);
    ASSERT_EQ(kinds.rows.size(), 2U);
    EXPECT_EQ(kinds.rows[0][0], "single");
    EXPECT_EQ(kinds.rows[1][0], "block");
    const std::string html = render_transient_report(campaign, "a & b");
    for (const char* text : {"<h1>a &amp; b</h1>", "conv&lt;1&gt;", "10 random images alike", "90.00 %",
                             "regret", "Limited to 3 of 20 planned faults"})
    {
        EXPECT_NE(html.find(text), std::string::npos) << text;
    }
}

}  // namespace
}  // namespace flipstorm
