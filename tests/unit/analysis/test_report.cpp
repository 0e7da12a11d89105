#include "analysis/report.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "analysis/protection.hpp"
#include "analysis/protection_tables.hpp"
#include "analysis/tables.hpp"
#include "analysis/train_forest.hpp"
#include "engine/base/error.hpp"
#include "sample_campaign.hpp"

namespace flipstorm
{
namespace
{

TEST(Tables, FormatNumbers)
{
    EXPECT_EQ(format_count(0), "0");
    EXPECT_EQ(format_count(999), "999");
    EXPECT_EQ(format_count(1000), "1,000");
    EXPECT_EQ(format_count(123456789), "123,456,789");
    EXPECT_EQ(format_percent(0.01234), "1.23");
    EXPECT_EQ(format_percent(std::nan("")), "-");
    EXPECT_EQ(escape_html("<a href='x'>\"&\"</a>"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot;&lt;/a&gt;");
}

TEST(Tables, TextIsAligned)
{
    ResultTable table;
    table.title = "Title";
    table.columns = {"name", "value"};
    table.rows = {{"a", "1"}, {"longer", "1234567"}};
    table.marked = 1;
    EXPECT_EQ(render_text(table),
              "Title\n"
              "  name      value\n"
              "  ------  -------\n"
              "  a             1\n"
              "* longer  1234567\n");
}

TEST(Tables, HtmlIsEscaped)
{
    ResultTable table;
    table.title = "a < b";
    table.columns = {"name", "value"};
    table.rows = {{"<layer>", "1"}};
    table.marked = 0;
    const std::string html = render_html(table);
    EXPECT_NE(html.find("a &lt; b"), std::string::npos);
    EXPECT_NE(html.find("<tr class=\"marked\"><td class=\"text\">&lt;layer&gt;</td><td>1</td></tr>"),
              std::string::npos);
}

struct Report : ::testing::Test
{
    std::vector<LayerWeights> weights = testing::sample_weights(testing::sample_layers());
    CampaignRecord campaign = testing::sample_campaign(weights);
    ForestRecord forest;
    ProtectionRecord protection;

    void SetUp() override
    {
        campaign.header.strata.planned[0] += 1000;
        campaign.header.provenance.job = "[job]\nname = \"a<b\"\n";
        testing::add_screens(campaign);
        campaign.header.faults_per_second = 12345;
        ForestOptions options;
        options.trees = 20;
        options.folds = 3;
        options.tolerances = campaign.header.tolerances;
        options.tolerance = 0.005;
        forest = analyse_campaign(campaign, weights, options);
        HardenOptions harden;
        harden.ber = 1e-7;
        harden.options = {"none", "sec_critical"};
        protection = choose_protection(campaign, forest, harden);
    }
};

TEST_F(Report, HasEveryTableAsRowsOfOneWidth)
{
    const ResultTable tables[] = {critical_share_table(campaign), layer_share_table(campaign, 0.005),
                                  forest_table(forest),           overhead_table(protection),
                                  options_table(protection),      screen_table(campaign),
                                  models_table(forest),           importance_table(forest)};
    const std::size_t rows[] = {4, 2, 4, 1, protection.options.size(), 3, 2, 5};
    for (std::size_t i = 0; i < 8; ++i)
    {
        EXPECT_EQ(tables[i].rows.size(), rows[i]);
        for (const auto& row : tables[i].rows)
            EXPECT_EQ(row.size(), tables[i].columns.size());
        EXPECT_NE(render_text(tables[i]).find(tables[i].title), std::string::npos);
    }
    EXPECT_EQ(tables[4].marked, protection.chosen);
}

TEST_F(Report, BeginsWithWhatMakesTheRestMeaningless)
{
    const ReportOptions options{"job", {}};
    EXPECT_EQ(render_report(campaign, forest, protection, options).find("no better than"), std::string::npos);
    campaign.header.golden_correct = 500;  // of 1,000 images of, as far as the file knows, two classes
    campaign.header.golden.margin = {0.0F, 1.0F};
    const auto before_the_figures = [](const std::string& page, const char* text) {
        return page.find(text) < page.find("<div class=\"cards\">");
    };
    for (const std::string& page :
         {render_report(campaign, forest, protection, options), render_campaign_report(campaign, options)})
    {
        EXPECT_TRUE(before_the_figures(page, "no better than a guess among 2 classes"));
        EXPECT_TRUE(before_the_figures(page, "on 1 of 2 test images"));
    }
}

TEST_F(Report, SharesByBitLayerAndTolerance)
{
    const ResultTable bits = bit_share_table(campaign, 0.005);
    ASSERT_EQ(bits.rows.size(), 8U);
    EXPECT_EQ(bits.rows[0][0], "7");
    // Every bit 6 of conv1 is critical, none of fc1: 72 of 112.
    EXPECT_EQ(bits.rows[1], (std::vector<std::string>{"6", "64.286", "64.286", "64.286", "72", "112"}));
    const ResultTable cells = layer_bit_table(campaign, 0.005);
    EXPECT_EQ(cells.columns, (std::vector<std::string>{"bit", "conv1", "fc1"}));
    EXPECT_EQ(cells.rows[1], (std::vector<std::string>{"6", "100.00", "0.00"}));
    const ResultTable layers = layers_by_tolerance_table(campaign);
    EXPECT_EQ(layers.columns, (std::vector<std::string>{"layer", "0.50 %", "1.00 %", "5.00 %", "50.00 %"}));
    EXPECT_EQ(layers.rows[0][1], "12.500 [12.500, 12.500]");  // all of its faults were injected
    EXPECT_EQ(layers.rows[0][4], "0.000 [0.000, 0.000]");
    const ResultTable by_tolerance = bits_by_tolerance_table(campaign);
    EXPECT_EQ(by_tolerance.rows[1][0], "6");
    EXPECT_EQ(by_tolerance.rows[1][3], "64.286 [64.286, 64.286]");
    EXPECT_EQ(by_tolerance.rows.size(), 8U);
}

TEST_F(Report, OfACampaignThatNoForestCanSpeakOf)
{
    campaign.header.fault_model = "adjacent_bits";
    campaign.header.upset_bits = 2;
    for (std::size_t row = 0; row < campaign.faults.size(); ++row)
    {
        campaign.faults.bit[row] = std::max<std::uint8_t>(campaign.faults.bit[row], 1);
        campaign.faults.mask[row] = 3U << (campaign.faults.bit[row] - 1U);
    }
    const std::string html = render_campaign_report(campaign, {"bursts", {}});
    const auto has = [&html](const std::string& part) { return html.find(part) != std::string::npos; };
    EXPECT_TRUE(has("<h1>bursts</h1>"));
    EXPECT_TRUE(has("statistical injection of upsets of 2 adjacent bits into the weights of 2 layers"));
    EXPECT_TRUE(has("No forest and no protection: its faults are upsets of 2 adjacent bits"));
    EXPECT_TRUE(has("Critical faults by bit position (highest of a fault)"));
    EXPECT_TRUE(has("</main>"));
    EXPECT_FALSE(has("Table II") || has("nan"));
    ForestOptions options;
    options.tolerances = campaign.header.tolerances;
    options.tolerance = 0.005;
    EXPECT_THROW(static_cast<void>(analyse_campaign(campaign, weights, options)), DataError);
    EXPECT_THROW(static_cast<void>(choose_protection(campaign, forest, {})), DataError);
}

TEST_F(Report, ShowsWhatTheAuditsOfTheScreenFound)
{
    const ResultTable table = screen_table(campaign);
    // 1 - 0.05^(1/400000) = 7.49e-6; scipy.stats.beta.ppf(0.95, 4, 200000 - 3) = 3.88e-5.
    EXPECT_EQ(table.rows[0], (std::vector<std::string>{"conv1", "as asked", "kept", "8", "0.1", "576,000",
                                                       "86.81", "400,000", "0", "0.00075"}));
    EXPECT_EQ(table.rows[1], (std::vector<std::string>{"fc1", "as asked", "given up", "8", "0.1", "320,000",
                                                       "78.12", "200,000", "3", "0.0039"}));
    EXPECT_EQ(table.rows[2],
              (std::vector<std::string>{"fc1", "exact", "kept", "-", "-", "320,000", "-", "-", "-", "-"}));
    ScreenTable trials = campaign.header.screen.trials;
    trials.level = {0, 0, 1};
    EXPECT_EQ(screen_verdict(trials, 1), "audit too small");
    EXPECT_EQ(screen_verdict(trials, 2), "kept");
    const auto has = [this](const std::string& part) {
        return render_report(campaign, forest, protection, {}).find(part) != std::string::npos;
    };
    EXPECT_TRUE(has("Screened evaluation: 55.80 % of the (fault, image) pairs"));
    EXPECT_TRUE(has("at most 0.00075 % of the screened pairs of a layer are wrong"));
    EXPECT_TRUE(has("The screen of one layer did not pass the audit (bound above 0.001 %) and was given up"));
    EXPECT_TRUE(has("<figcaption>Screened evaluation by layer</figcaption>"));
    campaign.header.evaluation = "exact";
    campaign.header.screen = {};
    EXPECT_FALSE(has("creened"));
}

TEST_F(Report, IsOneWellFormedPage)
{
    const std::string html = render_report(campaign, forest, protection, {"lenet <5>", {"roc", "overhead"}});
    const auto has = [&html](const std::string& part) { return html.find(part) != std::string::npos; };
    EXPECT_TRUE(has("<h1>lenet &lt;5&gt;</h1>"));
    EXPECT_TRUE(has("Table I: ") && has("Table II: ") && has("Table III: "));
    EXPECT_TRUE(has("src=\"figures/roc.png\"") && has("src=\"figures/overhead.png\""));
    EXPECT_FALSE(has("figures/criticality.png"));
    EXPECT_TRUE(has("Limited to 896 of 1,896 planned faults, on 1,000 images"));
    EXPECT_TRUE(has("No forest for a tolerated drop of 50.00 %"));
    EXPECT_TRUE(has("of 400,000 audited pairs 0 disagreed"));
    EXPECT_TRUE(has("name = &quot;a&lt;b&quot;"));
    const ProtectionOption& chosen = protection.options[static_cast<std::size_t>(protection.chosen)];
    EXPECT_LT(chosen.measured_low, chosen.measured_high);
    EXPECT_TRUE(has("95 % interval " + format_percent(chosen.measured_low, 4) + " to " +
                    format_percent(chosen.measured_high, 4) + " %, on held-out faults"));
    EXPECT_FALSE(has("nan"));
    EXPECT_FALSE(std::regex_search(html, std::regex("(src|href)=\"(https?:)?//")));
    // Every element that opens also closes.
    std::vector<std::string> open;
    const std::regex tag("<(/?)([a-z0-9]+)[^>]*>");
    for (std::sregex_iterator it(html.begin(), html.end(), tag), end; it != end; ++it)
    {
        const std::string name = (*it)[2];
        if (name == "meta" || name == "img") continue;
        if ((*it)[1].length() == 0)
        {
            open.push_back(name);
            continue;
        }
        ASSERT_FALSE(open.empty());
        EXPECT_EQ(open.back(), name);
        open.pop_back();
    }
    EXPECT_TRUE(open.empty());
}

}  // namespace
}  // namespace flipstorm
