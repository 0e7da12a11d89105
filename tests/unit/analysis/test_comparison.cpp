#include "analysis/comparison.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "analysis/estimates.hpp"
#include "analysis/variant_tables.hpp"
#include "engine/base/error.hpp"
#include "sample_campaign.hpp"

namespace flipstorm
{
namespace
{

TEST(WeightHistogram, CountsByHand)
{
    // 1,000 weights: the 99.9 % quantile by nearest rank is the 999th smallest magnitude, 3.
    std::vector<float> weights(998, 0.0F);
    weights.push_back(-3.0F);
    weights.push_back(100.0F);
    const WeightHistogram histogram = weight_histogram({weights, {1.0F, -1.5F, 2.9F}, {}}, 3);
    ASSERT_EQ(histogram.edges.size(), 4U);
    EXPECT_DOUBLE_EQ(histogram.edges[0], -3);
    EXPECT_DOUBLE_EQ(histogram.edges[1], -1);
    EXPECT_DOUBLE_EQ(histogram.edges[2], 1);
    EXPECT_DOUBLE_EQ(histogram.edges[3], 3);
    ASSERT_EQ(histogram.counts.size(), 3U);
    EXPECT_EQ(histogram.counts[0], (std::vector<std::uint64_t>{1, 998, 1}));
    EXPECT_EQ(histogram.counts[1], (std::vector<std::uint64_t>{1, 0, 2}));
    EXPECT_EQ(histogram.counts[2], (std::vector<std::uint64_t>{0, 0, 0}));
    EXPECT_THROW(static_cast<void>(weight_histogram({}, 4)), Error);
    EXPECT_DOUBLE_EQ(weight_histogram({{0.0F}}, 3).edges[3], 1);
}

TEST(WeightStatistics, ByHand)
{
    VariantResult result;
    add_weights(result, {});
    EXPECT_TRUE(std::isnan(result.mean_weight));
    add_weights(result, {1.0F, -2.0F, 0.5F, -0.5F});
    EXPECT_EQ(result.weights, 4U);
    EXPECT_DOUBLE_EQ(result.mean_weight, -0.25);
    EXPECT_DOUBLE_EQ(result.mean_magnitude, 1.0);
}

/// Two variants under feature-map faults and one under weight faults.
ComparisonRecord sample()
{
    ComparisonRecord record;
    record.device = "cpu";
    record.threads = 2;
    record.batch = 200;
    VariantResult base;
    base.name = "baseline";
    base.test_accuracy = 0.9;
    base.clean_accuracy = 0.9;
    base.noisy_accuracy = 0.7;
    base.regret = {0.2, 0.19, 0.22};
    base.critical_sdc = {0.24, 0.22, 0.25};
    base.mean_magnitude = 0.04;
    base.seconds_per_image = 0.002;
    VariantResult hard = base;
    hard.name = "hardened <b>";
    hard.changes = "model.activation = \"relu6\"";
    hard.test_accuracy = hard.clean_accuracy = 0.91;
    hard.noisy_accuracy = 0.86;
    hard.regret = {0.05, 0.045, 0.055};
    hard.critical_sdc = {0.06, 0.05, 0.07};
    hard.mean_magnitude = 0.02;
    hard.seconds_per_image = 0.0025;
    record.variants = {base, hard};
    record.fault_models = {{0, "line", 10, {0.1, 0, 0}, {0.3, 0, 0}},
                           {1, "line", 10, {0.1, 0, 0}, {0.03, 0, 0}},
                           {0, "block", 5, {0.1, 0, 0}, {0.2, 0, 0}}};
    return record;
}

std::string cell(const ResultTable& table, const std::string& column, std::size_t row)
{
    for (std::size_t c = 0; c < table.columns.size(); ++c)
    {
        if (table.columns[c] == column) return table.rows.at(row).at(c);
    }
    return "no column " + column;
}

TEST(ComparisonTable, HasTheFiguresThatThereAre)
{
    const ResultTable table = comparison_table(sample());
    for (const auto& row : table.rows)
        EXPECT_EQ(row.size(), table.columns.size());
    EXPECT_EQ(cell(table, "variant", 1), "hardened <b>");
    EXPECT_EQ(cell(table, "test accuracy %", 0), "90.00");
    EXPECT_EQ(cell(table, "clean %", 0), "no column clean %");
    EXPECT_EQ(cell(table, "noisy %", 1), "86.00");
    EXPECT_EQ(cell(table, "regret", 0), "20.00");
    EXPECT_EQ(cell(table, "±", 0), "1.50");
    EXPECT_EQ(cell(table, "critical SDC %", 1), "6.00");
    EXPECT_EQ(cell(table, "line %", 1), "3.00");
    EXPECT_EQ(cell(table, "block %", 0), "20.00");
    EXPECT_EQ(cell(table, "block %", 1), "-");
    EXPECT_EQ(cell(table, "mean |w|", 1), "0.02000");
    EXPECT_EQ(cell(table, "ms/image", 1), "2.500");
    EXPECT_EQ(cell(table, "protection", 0), "no column protection");
    ComparisonRecord record = sample();
    record.variants[1].clean_accuracy = 0.95;
    EXPECT_EQ(cell(comparison_table(record), "clean %", 1), "95.00");
    record.variants[0].scheme = "sec_critical";
    record.variants[0].protection_overhead = 12.5;
    EXPECT_EQ(cell(comparison_table(record), "protection", 1), "-");
    EXPECT_EQ(cell(comparison_table(record), "memory overhead %", 0), "12.500");
}

TEST(VariantTables, SetTheVariantsSideBySide)
{
    ComparisonRecord record = sample();
    EXPECT_TRUE(critical_shares_table(record).rows.empty() && forests_table(record).rows.empty() &&
                overheads_table(record).rows.empty());
    record.variants[0].data = record.variants[1].data = "mnist";
    const MeasuredShare share{0.02, 0.01, 0.04};
    record.tolerances = {{0, 0.005, 100, 2, share, share},
                         {0, 0.01, 100, 1, share, share},
                         {1, 0.01, 100, 1, share, {0.5, 0.4, 0.6}}};
    const ResultTable shares = critical_shares_table(record);
    EXPECT_EQ(
        shares.title,
        "Table I: critical faults, %, on mnist; fault-free accuracy baseline 90.00 %, hardened <b> 91.00 %");
    ASSERT_EQ(shares.rows.size(), 2U);
    EXPECT_EQ(shares.rows[0], (std::vector<std::string>{"0.50", "2.000 ± 1.500", "2.000 ± 1.500", "-", "-"}));
    EXPECT_EQ(shares.rows[1].back(), "50.000 ± 10.000");

    for (int i = 0; i < 20; ++i)
        record.forests.push_back({1, "rf", 0.005 * (i + 1), 0.99, 0.98, 0.97, 90, 5, 1, 4});
    const ResultTable forests = forests_table(record);
    ASSERT_EQ(forests.rows.size(), 3U);
    EXPECT_EQ(cell(forests, "tolerated drop %", 0), "0.50");
    EXPECT_EQ(cell(forests, "tolerated drop %", 1), "5.50");
    EXPECT_EQ(cell(forests, "tolerated drop %", 2), "10.00");
    EXPECT_EQ(cell(forests, "crit. → acc. %", 2), "1.00");

    record.overheads = {{0, "brf", 32, 0.005, 18.75, 9.926, 3.125, 30.396},
                        {1, "rf", 8, 0.005, 50, 0.583, 12.5, 73.834}};
    const ResultTable overheads = overheads_table(record);
    EXPECT_EQ(cell(overheads, "critical + signature", 1), "13.083");
    EXPECT_NE(overheads.note.find("at most 73.83 % (hardened <b>), 52.12 % on average"), std::string::npos)
        << overheads.note;
}

// The reference: counting, and the estimate that the reports show.
TEST(VariantTables, TellInjectedFaultsFromAll)
{
    ComparisonRecord record = sample();
    const CampaignRecord campaign =
        testing::sample_campaign(testing::sample_weights(testing::sample_layers()), 200);
    add_tolerances(record, 1, campaign);
    ASSERT_EQ(record.tolerances.size(), campaign.header.tolerances.size());
    for (const ToleranceResult& row : record.tolerances)
    {
        EXPECT_EQ(row.variant, 1);
        EXPECT_EQ(row.faults, campaign.outcomes.size());
        EXPECT_DOUBLE_EQ(row.injected.value,
                         static_cast<double>(row.critical) / static_cast<double>(row.faults));
        EXPECT_DOUBLE_EQ(row.all.value, estimate_critical_share(campaign, row.tolerance).network.share);
        EXPECT_LE(row.injected.low, row.injected.value);
        EXPECT_GE(row.injected.high, row.injected.value);
    }
}

TEST(RelativeTable, DividesByTheFirst)
{
    const ResultTable table = relative_table(sample());
    EXPECT_EQ(cell(table, "test accuracy", 1), "+1.00");
    EXPECT_EQ(cell(table, "regret", 1), "-15.00");
    EXPECT_EQ(cell(table, "critical SDC", 1), "÷ 4.00");
    EXPECT_EQ(cell(table, "critical SDC", 0), "÷ 1.00");
    EXPECT_EQ(cell(table, "line", 1), "÷ 10.00");
    EXPECT_EQ(cell(table, "block", 1), "-");
    EXPECT_EQ(cell(table, "mean |w|", 1), "÷ 2.00");
    EXPECT_EQ(cell(table, "time", 1), "× 1.25");
    EXPECT_EQ(cell(table, "critical bits", 1), "no column critical bits");
    ComparisonRecord one = sample();
    one.variants.pop_back();
    EXPECT_TRUE(relative_table(one).rows.empty());
}

TEST(WeightCampaign, GivesTheShareOfTheTolerance)
{
    // Every bit is injected; beyond 5 % costs only bit 6 of the 72 weights of conv1, of 112 weights of 8
    // bits.
    const auto weights = testing::sample_weights(testing::sample_layers());
    VariantResult result;
    add_weight_campaign(result, testing::sample_campaign(weights), 0.05);
    EXPECT_DOUBLE_EQ(result.tolerance, 0.05);
    EXPECT_DOUBLE_EQ(result.critical_bits.value, 72.0 / (112 * 8));
    EXPECT_DOUBLE_EQ(result.critical_bits.low, result.critical_bits.value);
    EXPECT_DOUBLE_EQ(result.critical_bits.high, result.critical_bits.value);
    ProtectionRecord protection;
    add_protection(result, protection);
    EXPECT_EQ(result.scheme, "");
    protection.options.resize(1);
    protection.options[0].scheme = "sec_all";
    protection.options[0].total_overhead = 18.75;
    protection.chosen = 0;
    add_protection(result, protection);
    EXPECT_EQ(result.scheme, "sec_all");
    EXPECT_EQ(result.protection_overhead, 18.75);
}

TEST(TransientCampaign, GivesRegretAndMispredictionsByGeometry)
{
    // Two layers of one stratum each, equally likely; four faults of ten images.
    TransientCampaignRecord campaign;
    CampaignHeader& header = campaign.header.campaign;
    header.target = "feature_maps";
    header.images = 100;
    header.layers = testing::sample_layers();
    header.strata = {{0, 1}, {-1, -1}, {1'000'000, 1'000'000}, {2, 2}, {2, 2}};
    constexpr std::uint8_t kLine = 3;
    constexpr std::uint8_t kBlock = 4;
    campaign.faults.stratum = {0, 0, 1, 1};
    campaign.faults.layer = {0, 0, 1, 1};
    campaign.faults.geometry = {kLine, kBlock, kLine, kBlock};
    campaign.outcomes.evaluated = {10, 10, 10, 10};
    campaign.outcomes.mismatches = {1, 6, 0, 4};
    campaign.outcomes.nonfinite = {0, 1, 0, 0};
    campaign.outcomes.correct = {9, 4, 10, 6};
    campaign.outcomes.masked = {5, 0, 10, 0};
    campaign.outcomes.tolerable = {4, 4, 0, 6};
    campaign.outcomes.drop = {0.1, 0.5, -0.1, 0.3};
    VariantResult result;
    result.clean_accuracy = 0.9;
    std::vector<FaultModelResult> models;
    add_transient_campaign(result, campaign, 7, models);
    EXPECT_NEAR(result.regret.value, 0.2, 1e-12);
    EXPECT_NEAR(result.noisy_accuracy, 0.7, 1e-12);
    EXPECT_NEAR(result.critical_sdc.value, 11.0 / 40, 1e-12);
    EXPECT_LT(result.regret.low, 0.2);
    EXPECT_GT(result.regret.high, 0.2);
    ASSERT_EQ(models.size(), 2U);
    EXPECT_EQ(models[0].fault_model, "line");
    EXPECT_EQ(models[0].variant, 7);
    EXPECT_EQ(models[0].faults, 2U);
    EXPECT_NEAR(models[0].regret.value, 0.0, 1e-12);
    EXPECT_NEAR(models[0].critical_sdc.value, 0.05, 1e-12);
    EXPECT_EQ(models[1].fault_model, "block");
    EXPECT_NEAR(models[1].regret.value, 0.4, 1e-12);
    EXPECT_NEAR(models[1].critical_sdc.value, 0.5, 1e-12);
}

TEST(ComparisonPage, IsWholeAndEscaped)
{
    const std::string page = render_comparison(sample(), "abl<ation", {"regret"});
    EXPECT_EQ(page.find("<!DOCTYPE html>"), 0U);
    EXPECT_NE(page.find("</html>\n"), std::string::npos);
    EXPECT_NE(page.find("abl&lt;ation"), std::string::npos);
    EXPECT_EQ(page.find("hardened <b>"), std::string::npos);
    EXPECT_NE(page.find("hardened &lt;b&gt;"), std::string::npos);
    EXPECT_NE(page.find("model.activation = &quot;relu6&quot;"), std::string::npos);
    EXPECT_NE(page.find("figures/regret.png"), std::string::npos);
    EXPECT_EQ(page.find("figures/weights.png"), std::string::npos);
}

}  // namespace
}  // namespace flipstorm
