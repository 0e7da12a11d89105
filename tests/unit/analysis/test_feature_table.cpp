#include "analysis/feature_table.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "engine/base/error.hpp"
#include "sample_campaign.hpp"

namespace flipstorm
{
namespace
{

TEST(FeatureTable, MergesEqualRowsAndKeepsValues)
{
    const std::vector<std::vector<float>> columns{{3, -1, 3, 3}, {0, 5, 0, 5}};
    const FeatureTable table = make_feature_table({"a", "b"}, columns);
    EXPECT_EQ(table.rows(), 4U);
    EXPECT_EQ(table.cells(), 3U);
    EXPECT_EQ(table.bins[0], (std::vector<float>{-1, 3}));
    EXPECT_EQ(table.cell, (std::vector<std::uint32_t>{1, 0, 1, 2}));
    for (std::size_t row = 0; row < 4; ++row)
    {
        for (std::size_t f = 0; f < 2; ++f)
            EXPECT_EQ(table.value(table.cell[row], f), columns[f][row]);
    }
}

TEST(FeatureTable, RefusesImpossibleColumns)
{
    EXPECT_THROW(make_feature_table({"a"}, {{}}), DataError);
    EXPECT_THROW(make_feature_table({"a", "b"}, {{1}, {1, 2}}), DataError);
    EXPECT_THROW(make_feature_table({"a"}, {{std::numeric_limits<float>::quiet_NaN()}}), DataError);
    EXPECT_THROW(make_feature_table({}, {}), DataError);
}

TEST(CriticalLabels, DropMustExceedTheTolerance)
{
    OutcomeTable outcomes;
    outcomes.drop = {0.005, 0.9850 - 0.9800, 0.0051, -0.1, 1.0};
    EXPECT_EQ(critical_labels(outcomes, 0.005), (std::vector<std::uint8_t>{0, 0, 1, 0, 1}));
}

TEST(CheckCampaign, AcceptsTheSampleAndRefusesImpossibleOnes)
{
    const auto weights = testing::sample_weights(testing::sample_layers());
    const CampaignRecord good = testing::sample_campaign(weights);
    EXPECT_NO_THROW(check_campaign(good));
    const auto refused = [&good](const auto& spoil) {
        CampaignRecord campaign = good;
        spoil(campaign);
        EXPECT_THROW(check_campaign(campaign), DataError);
    };
    refused([](CampaignRecord& c) { c.faults = {}, c.outcomes = {}; });
    refused([](CampaignRecord& c) { c.faults.layer[3] = 2; });
    refused([](CampaignRecord& c) { c.faults.layer[3] = 1; });
    refused([](CampaignRecord& c) { c.faults.stratum[3] = -1; });
    refused([](CampaignRecord& c) { c.faults.bit[3] = 8; });
    refused([](CampaignRecord& c) { c.faults.sign[3] = 2; });
    refused([](CampaignRecord& c) { c.faults.parameter[3] = 72; });
    refused([](CampaignRecord& c) { c.faults.out_channel[3] = 1; });
    refused([](CampaignRecord& c) { c.faults.in_channel.pop_back(); });
    refused([](CampaignRecord& c) { c.outcomes.drop.pop_back(); });
    refused([](CampaignRecord& c) { c.outcomes.drop[3] = std::numeric_limits<double>::quiet_NaN(); });
    refused([](CampaignRecord& c) { c.outcomes.stopped[0] = 1; });
    refused([](CampaignRecord& c) { c.header.strata.population[0] = 1; });
    refused([](CampaignRecord& c) { c.header.layers.weights[0] = 73; });
    refused([](CampaignRecord& c) { c.header.layers.word_bits.pop_back(); });
    refused([](CampaignRecord& c) { c.faults.mask[3] = 1U << 7U; });
    refused([](CampaignRecord& c) { c.faults.mask[3] |= 1U; });
    refused([](CampaignRecord& c) { c.faults.effect[3] = 1; });
    refused([](CampaignRecord& c) { c.faults.mask.pop_back(); });
    refused([](CampaignRecord& c) { c.header.fault_model = "adjacent_bits"; });
    refused([](CampaignRecord& c) { c.header.fault_model = "stuck_at"; });
    refused([](CampaignRecord& c) { c.header.layers.injected[0] = 0; });
    CampaignRecord stuck = good;
    stuck.header.fault_model = "stuck_at";
    std::fill(stuck.faults.effect.begin(), stuck.faults.effect.end(), std::uint8_t{2});
    EXPECT_NO_THROW(check_campaign(stuck));
}

TEST(CheckCampaign, TheTrialsOfTheScreenMustBeTrueToTheirAudits)
{
    const auto weights = testing::sample_weights(testing::sample_layers());
    CampaignRecord good = testing::sample_campaign(weights);
    testing::add_screens(good);
    EXPECT_NO_THROW(check_campaign(good));
    const auto refused = [&good](const auto& spoil) {
        CampaignRecord campaign = good;
        spoil(campaign.header.screen, campaign.header.screen.trials);
        EXPECT_THROW(check_campaign(campaign), DataError);
    };
    const auto accepted = [&good](const auto& change) {
        CampaignRecord campaign = good;
        change(campaign.header.screen, campaign.header.screen.trials);
        EXPECT_NO_THROW(check_campaign(campaign));
    };
    refused([](ScreenRecord&, ScreenTable& t) { t.tau.pop_back(); });
    refused([](ScreenRecord&, ScreenTable& t) { t.layer[1] = 2; });
    refused([](ScreenRecord&, ScreenTable& t) { t.layer[1] = -1; });
    refused([](ScreenRecord&, ScreenTable& t) { t.level[2] = 4; });
    refused([](ScreenRecord&, ScreenTable& t) { t.level[2] = 0; });  // no higher than the one before
    accepted([](ScreenRecord&, ScreenTable& t) { t.level[2] = 1; });
    accepted([](ScreenRecord&, ScreenTable& t) { t.level[2] = 2; });
    refused([](ScreenRecord&, ScreenTable& t) { std::swap(t.layer[0], t.layer[2]); });
    refused([](ScreenRecord&, ScreenTable& t) { t.pairs[0] += 1; });
    refused([](ScreenRecord&, ScreenTable& t) { t.screened[1] = 320001; });
    refused([](ScreenRecord&, ScreenTable& t) { t.screened[1] = 199999; });
    refused([](ScreenRecord&, ScreenTable& t) { t.disagreements[1] = 4; });  // not what the bound says
    refused([](ScreenRecord&, ScreenTable& t) { t.bound95[1] = 1e-6; });
    refused([](ScreenRecord&, ScreenTable& t) { t.bound95[1] = std::numeric_limits<double>::quiet_NaN(); });
    refused([](ScreenRecord&, ScreenTable& t) { t.kept[1] = 1; });          // two for one layer
    refused([](ScreenRecord&, ScreenTable& t) { t.kept[2] = 0; });          // none for a layer with faults
    refused([](ScreenRecord& s, ScreenTable&) { s.screen_bound = 1e-6; });  // kept beyond the bound
    refused([](ScreenRecord& s, ScreenTable&) { s.screen_bound = 1e-3; });  // given up within the bound
    refused([](ScreenRecord& s, ScreenTable&) { s.screened += 1; });
    refused([](ScreenRecord& s, ScreenTable&) { s.audited += 1; });
    refused([](ScreenRecord& s, ScreenTable&) { s.disagreements += 1; });
    refused([](ScreenRecord& s, ScreenTable&) { s.pairs += 1; });
    refused([](ScreenRecord& s, ScreenTable&) { s.bound95 = 0; });
}

}  // namespace
}  // namespace flipstorm
