#include "analysis/validation.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "analysis/calibration.hpp"
#include "analysis/train_forest.hpp"
#include "engine/base/error.hpp"
#include "sample_campaign.hpp"

namespace flipstorm
{
namespace
{

const ValidationScore& score(const ValidationRecord& validation, const std::string& name)
{
    for (const ValidationScore& score : validation.scores)
    {
        if (score.name == name) return score;
    }
    throw Error("no score {}", name);
}

/// Every `stride`-th row of a campaign from the row `first` on, as a campaign of the same strata.
CampaignRecord some_rows(const CampaignRecord& whole, std::size_t first, std::size_t stride)
{
    CampaignRecord part;
    part.header = whole.header;
    part.header.provenance.stage_sha256 = std::to_string(first);
    part.header.strata.evaluated.assign(2, 0);
    const auto weights = testing::sample_weights(whole.header.layers);
    for (std::size_t row = first; row < whole.faults.size(); row += stride)
    {
        const FaultTable& faults = whole.faults;
        testing::add_fault(part, weights, faults.stratum[row], faults.layer[row], faults.parameter[row],
                           faults.bit[row], whole.outcomes.drop[row]);
        ++part.header.strata.evaluated[static_cast<std::size_t>(faults.stratum[row])];
    }
    part.header.strata.planned = part.header.strata.evaluated;
    return part;
}

struct ValidateMap : ::testing::Test
{
    std::vector<LayerWeights> weights = testing::sample_weights(testing::sample_layers());
    CampaignRecord whole = testing::sample_campaign(weights);
    CampaignRecord sample = some_rows(whole, 0, 3);
    ForestRecord forest;

    void SetUp() override
    {
        ForestOptions options;
        options.trees = 20;
        options.folds = 3;
        options.tolerances = {0.01};
        options.tolerance = 0.01;
        forest = analyse_campaign(sample, weights, options);
    }

    /// Truth, vote and weight of each bit that the sample does not have, by a plain loop.
    struct Row
    {
        bool critical;
        double vote;
        double probability;
    };
    [[nodiscard]] std::vector<Row> others() const
    {
        std::vector<Row> rows;
        for (std::size_t row = 0; row < whole.faults.size(); ++row)
        {
            if (row % 3 == 0) continue;
            const FaultTable& faults = whole.faults;
            const LayerCriticality& map = forest.criticality[static_cast<std::size_t>(faults.layer[row])];
            const std::size_t at = faults.parameter[row] * 8 + faults.bit[row];
            rows.push_back({whole.outcomes.drop[row] > 0.01, map.probability[at] / 255.0,
                            forest.calibration.probability[map.level[at]]});
        }
        return rows;
    }
};

TEST_F(ValidateMap, EqualsAPlainCountOverAllOtherBits)
{
    const ValidationRecord validation = validate_map(forest, sample, whole);
    double critical = 0;
    double flagged = 0;
    double found = 0;
    double expected = 0;
    double squares = 0;
    double won = 0;
    double pairs = 0;
    const std::vector<Row> rows = others();
    for (const Row& row : rows)
    {
        critical += row.critical ? 1 : 0;
        flagged += row.vote >= 0.5 ? 1 : 0;
        found += row.critical && row.vote >= 0.5 ? 1 : 0;
        expected += row.probability;
        squares += (row.probability - (row.critical ? 1 : 0)) * (row.probability - (row.critical ? 1 : 0));
        for (const Row& other : rows)
        {
            if (!row.critical || other.critical) continue;
            // Votes of 0 and 1/255, and of 254/255 and 1, have one level.
            const auto level = [](double vote) { return std::clamp(vote, 1.0 / 255, 254.0 / 255); };
            won += level(row.vote) > level(other.vote) ? 1 : level(row.vote) == level(other.vote) ? 0.5 : 0;
            ++pairs;
        }
    }
    const auto all = static_cast<double>(rows.size());
    EXPECT_EQ(validation.faults, rows.size());
    EXPECT_EQ(validation.critical, static_cast<std::uint64_t>(critical));
    EXPECT_NEAR(score(validation, "critical").value, critical / all, 1e-12);
    EXPECT_NEAR(score(validation, "flagged").value, flagged / all, 1e-12);
    EXPECT_NEAR(score(validation, "recall").value, found / critical, 1e-12);
    EXPECT_NEAR(score(validation, "missed").value, 1 - found / critical, 1e-12);
    EXPECT_NEAR(score(validation, "precision").value, found / flagged, 1e-12);
    EXPECT_NEAR(score(validation, "expected_critical").value, expected / all, 1e-12);
    EXPECT_NEAR(score(validation, "brier").value, squares / all, 1e-12);
    EXPECT_NEAR(score(validation, "auc").value, won / pairs, 1e-12);
    // A campaign of every fault leaves no doubt.
    for (const ValidationScore& s : validation.scores)
    {
        EXPECT_EQ(s.low, s.value);
        EXPECT_EQ(s.high, s.value);
    }
    // The planted truth depends on sign and channel: layer and bit alone cannot tell.
    EXPECT_LT(score(validation, "auc").table, 1);
    EXPECT_NEAR(score(validation, "flagged").table, score(validation, "flagged").value, 1e-12);
    EXPECT_LE(score(validation, "recall").table, score(validation, "recall").value);
    std::uint64_t counted = 0;
    for (std::size_t level = 0; level < kCriticalityLevels; ++level)
        counted += validation.levels.acceptable[level] + validation.levels.critical[level];
    EXPECT_EQ(counted, validation.faults);
    EXPECT_EQ(validation.levels.acceptable[kMeasuredAcceptable], 0U);
    EXPECT_EQ(validation.levels.critical[kMeasuredCritical], 0U);
}

TEST_F(ValidateMap, IntervalsOfASampleHoldTheTruth)
{
    const ValidationRecord truth = validate_map(forest, sample, whole);
    std::uint64_t held = 0;
    std::uint64_t all = 0;
    for (std::size_t first = 0; first < 5; ++first)
    {
        const ValidationRecord part = validate_map(forest, sample, some_rows(whole, first, 5));
        EXPECT_GE(part.critical, 5U);
        EXPECT_LT(part.faults, truth.faults);
        for (const ValidationScore& s : part.scores)
        {
            if (std::isnan(s.low)) continue;
            EXPECT_LE(s.low, s.value) << s.name;
            EXPECT_GE(s.high, s.value) << s.name;
            const double right = score(truth, s.name).value;
            held += right >= s.low && right <= s.high ? 1 : 0;
            ++all;
        }
    }
    EXPECT_GE(all, 40U);
    EXPECT_GE(static_cast<double>(held), 0.9 * static_cast<double>(all));
}

// With few critical faults a resample says nothing of areas.
TEST_F(ValidateMap, FewCriticalFaultsHaveNoIntervalsOfAreas)
{
    CampaignRecord few = some_rows(whole, 1, 9);
    for (std::size_t row = 0; row < few.outcomes.drop.size(); ++row)
        few.outcomes.drop[row] = row % 20 == 0 ? 0.3 : 0;
    const ValidationRecord validation = validate_map(forest, sample, few);
    EXPECT_LT(validation.critical, 10U);
    EXPECT_TRUE(std::isnan(score(validation, "auc").low));
    EXPECT_FALSE(std::isnan(score(validation, "recall").low));
    EXPECT_FALSE(std::isnan(score(validation, "balanced_accuracy").high));
}

// Weights that do not cancel to the last bit make no score beyond 0 … 1.
TEST_F(ValidateMap, ScoresOfUnevenWeightsStayWithinTheirRange)
{
    CampaignRecord uneven = some_rows(whole, 1, 3);
    uneven.header.strata.population = {1000003, 700001};
    forest.threshold = 1e-3;  // all is flagged
    for (const double value : {0.0, 0.3})
    {
        for (double& drop : uneven.outcomes.drop)
            drop = drop > 0 ? 0.3 : value;
        for (const ValidationScore& s : validate_map(forest, sample, uneven).scores)
        {
            for (const double each : {s.value, s.low, s.high, s.table})
                EXPECT_TRUE(std::isnan(each) || (each >= 0 && each <= 1)) << s.name << " " << each;
        }
    }
}

TEST_F(ValidateMap, FaultsOfStrataThatWereSampledThinlyCountForMore)
{
    // All of conv1, a tenth of fc1.
    CampaignRecord uneven = some_rows(whole, 0, 1);
    CampaignRecord kept = uneven;
    kept.faults = {};
    kept.outcomes = {};
    std::uint64_t of_fc = 0;
    for (std::size_t row = 0; row < uneven.faults.size(); ++row)
    {
        const FaultTable& faults = uneven.faults;
        if (faults.layer[row] == 1 && of_fc++ % 10 != 0) continue;
        testing::add_fault(kept, weights, faults.stratum[row], faults.layer[row], faults.parameter[row],
                           faults.bit[row], uneven.outcomes.drop[row]);
    }
    const double truth = score(validate_map(forest, sample, whole), "critical").value;
    const double estimate = score(validate_map(forest, sample, kept), "critical").value;
    EXPECT_NEAR(estimate, truth, 0.03);
}

TEST_F(ValidateMap, RefusesWhatCannotJudge)
{
    const auto refuses = [&](const CampaignRecord& other, const std::string& part) {
        try
        {
            static_cast<void>(validate_map(forest, sample, other));
            ADD_FAILURE() << part;
        }
        catch (const DataError& error)
        {
            EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
        }
    };
    refuses(sample, "no fault that the campaign of the map does not have");
    CampaignRecord other = whole;
    other.header.provenance.model_sha256 = "another";
    refuses(other, "another model");
    other = whole;
    other.header.provenance.dataset_sha256 = "another";
    refuses(other, "other test images");
    other = whole;
    other.header.fault_model = "stuck_at_0";
    other.faults.effect.assign(other.faults.size(), 1);
    refuses(other, "single bits stuck at 0");
    other = some_rows(whole, 0, 1);
    other.header.layers.injected[1] = 0;
    other.faults = {};
    other.outcomes = {};
    for (std::size_t row = 1; row < 10; ++row)
        testing::add_fault(other, weights, 0, 0, row, 1, 0);
    refuses(other, "left out layer 'fc1'");
    other = whole;
    other.header.tolerances = {0.005};
    other.outcomes.stopped[1] = 1;
    other.outcomes.drop[1] = 0.006;
    refuses(other, "it stopped fault 1");
}

}  // namespace
}  // namespace flipstorm
