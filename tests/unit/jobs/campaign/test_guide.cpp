#include "jobs/campaign/guide.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>

#include "analysis/estimates.hpp"
#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"
#include "engine/network/builders.hpp"
#include "jobs/campaign/campaign_output.hpp"
#include "jobs/campaign/course.hpp"
#include "jobs/campaign/kinds/weights.hpp"

namespace flipstorm
{
namespace
{

std::uint64_t sum(const std::vector<std::uint64_t>& values)
{
    return std::accumulate(values.begin(), values.end(), std::uint64_t{0});
}

TEST(GuidedRound, LooksWhereItIsUnsure)
{
    std::vector<GuidedCell> cells;
    for (std::int32_t bit = 0; bit < 8; ++bit)
        cells.push_back({0, bit, 0, 10000, 40, bit == 7 ? 40U : bit == 6 ? 20U : 0U});
    const std::vector<std::uint64_t> given = guided_round(cells, 800, 2, 1);
    EXPECT_EQ(sum(given), 800U);
    for (std::size_t c = 0; c < cells.size(); ++c)
    {
        EXPECT_GE(given[c], 2U);
        EXPECT_TRUE(c == 6 || 4 * given[c] < given[6]) << c;
    }
    EXPECT_EQ(guided_round(cells, 800, 2, 1), given);
}

TEST(GuidedRound, GivesNoCellMoreThanItHas)
{
    const std::vector<GuidedCell> cells = {
        {0, 0, 0, 50, 10, 5}, {0, 1, 0, 10, 10, 5}, {0, 2, 0, 11, 10, 0}, {1, 0, 1, 100000, 10, 0}};
    const std::vector<std::uint64_t> given = guided_round(cells, 5000, 2, 1);
    EXPECT_EQ(given[0], 40U);
    EXPECT_EQ(given[1], 0U);
    EXPECT_EQ(given[2], 1U);
    EXPECT_EQ(given[3], 4959U);
    // Two of each cell, whatever there is to share out.
    EXPECT_EQ(guided_round(cells, 0, 2, 1), (std::vector<std::uint64_t>{2, 0, 1, 2}));
    // Nothing is left.
    EXPECT_EQ(guided_round({{0, 0, 0, 5, 5, 1}}, 10, 2, 1), (std::vector<std::uint64_t>{0}));
    // All of one class: as many as there are.
    EXPECT_EQ(sum(guided_round({{0, 0, 0, 500, 5, 0}, {0, 1, 0, 500, 5, 0}}, 100, 2, 1)), 100U);
}

/// A small network whose faults are critical as a function of their place says; it is known of all of them.
class GuidedCampaign : public ::testing::Test
{
  protected:
    const Network network = build_network("lenet5", {1, 28, 28}, 10, {{0.3F}, {0.3F}}, 1);
    const std::vector<InjectableLayer> layers = injectable_layers(network);

    [[nodiscard]] PlanOptions options(std::uint64_t seed, std::uint64_t limit = 3000) const
    {
        PlanOptions options;
        options.scheme = Scheme::guided;
        options.precision = {0.01, 2.58, 0.5};
        options.limit = limit;
        options.seed = seed;
        options.images = 100;
        options.layers = {"conv2", "fc3"};
        options.bit_values = bit_values(network, layers);
        return options;
    }

    /// Top exponent bit always, three below it in every third weight where they are 0, mantissas hardly ever.
    [[nodiscard]] bool critical(std::int32_t layer, std::uint64_t parameter, std::int32_t bit) const
    {
        const bool held = directions_[static_cast<std::size_t>(layer)]->value(bit, parameter);
        RandomStream random(
            9, RandomPurpose::test,
            (static_cast<std::uint64_t>(layer) << 40U) + parameter * 32 + static_cast<std::uint64_t>(bit));
        const double u = random.uniform();
        if (bit == 30) return u < 0.9;
        if (bit >= 27 && bit < 30 && !held) return u < 0.3;
        if (bit == 31) return u < 0.02;
        return u < 0.0005;
    }

    [[nodiscard]] double truth() const
    {
        double hits = 0;
        double all = 0;
        for (const InjectableLayer& layer : layers)
        {
            if (layer.name != "conv2" && layer.name != "fc3") continue;
            for (std::uint64_t w = 0; w < layer.weights; ++w)
            {
                for (std::int32_t bit = 0; bit < 32; ++bit)
                    hits += critical(layer.id.value(), w, bit) ? 1 : 0;
            }
            all += static_cast<double>(layer.weights) * 32;
        }
        return hits / all;
    }

    /// Run a campaign to its end. \return rows of each stratum of the file with the critical ones
    [[nodiscard]] std::vector<StratumCount> run(const Plan& plan, Harvest& harvest) const
    {
        Course course(plan, layers.size(), 100, {}, {{0.01, 2.58, 0.5}, 1, 0, 1});
        const std::size_t all = plan.chunks().size();
        DoneWork done{std::vector<std::uint8_t>(kScreenLevels * all, 0),
                      std::vector<LevelTotals>(layers.size()),
                      std::vector<std::uint64_t>(kScreenLevels * all, 0)};
        course.advance(done);
        int rounds = 0;
        for (std::vector<Batch> batches = course.missing(done); !batches.empty();
             batches = course.missing(done))
        {
            ++rounds;
            for (const Batch& batch : batches)
            {
                for (const ChunkId id : batch.chunks)
                {
                    const std::size_t place = static_cast<std::size_t>(ScreenLevel::exact) * all + id.value();
                    done.chunks[place] = 1;
                    const Chunk& chunk = plan.chunks()[id.value()];
                    ++done.screens[static_cast<std::size_t>(chunk.layer.value())]
                          .at(static_cast<std::size_t>(ScreenLevel::exact))
                          .chunks;
                    for (std::uint64_t i = 0; i < chunk.count; ++i)
                        done.hits[place] += is_critical(plan, chunk.first.value() + i) ? 1 : 0;
                }
            }
            course.advance(done);
            // Whoever begins anew with what is done goes on in the same way.
            Course again(plan, layers.size(), 100, {}, {{0.01, 2.58, 0.5}, 1, 0, 1});
            again.advance(done);
            EXPECT_EQ(again.wanted(), course.wanted());
            EXPECT_EQ(again.known(), course.known());
        }
        EXPECT_EQ(rounds, 1 + kGuidedRounds);
        harvest.chunks = course.wanted();
        harvest.planned = course.planned();
        harvest.evaluated = course.evaluated();
        harvest.known = course.known();
        const FileStrata strata(plan, harvest.planned, harvest.evaluated, harvest.known);
        std::vector<StratumCount> counts;
        for (const std::uint64_t population : strata.table().population)
            counts.push_back({population, 0, 0});
        for (const ChunkId id : harvest.chunks)
        {
            const Chunk& chunk = plan.chunks()[id.value()];
            for (std::uint64_t k = chunk.first.value(); k < chunk.first.value() + chunk.count; ++k)
            {
                const StratumId stratum = plan.fault(FaultIndex(k)).stratum;
                StratumCount& count =
                    counts.at(static_cast<std::size_t>(strata.row_of(FaultIndex(k), stratum)));
                ++count.faults;
                count.hits += is_critical(plan, k) ? 1 : 0;
            }
        }
        return counts;
    }

    [[nodiscard]] bool is_critical(const Plan& plan, std::uint64_t k) const
    {
        const WeightFault fault = plan.fault(FaultIndex(k));
        return critical(fault.layer.value(), fault.parameter, fault.bit);
    }

  private:
    const std::vector<std::shared_ptr<const BitValueIndex>> directions_ = bit_values(network, layers);
};

TEST_F(GuidedCampaign, StrataHoldFaultsOfOneDirectionOnceEach)
{
    PlanOptions asked = options(1);
    const Plan plan(layers, asked);
    EXPECT_EQ(plan.budget(), 3000U);
    std::uint64_t population = 0;
    for (const Stratum& stratum : plan.strata())
        population += stratum.population;
    EXPECT_EQ(population, (2400U + 840U) * 32U);
    std::set<std::tuple<std::int32_t, std::uint64_t, std::int32_t>> seen;
    for (std::uint64_t k = 0; k < plan.size(); ++k)
    {
        const WeightFault fault = plan.fault(FaultIndex(k));
        const Stratum& stratum = plan.strata()[static_cast<std::size_t>(fault.stratum.value())];
        ASSERT_EQ(stratum.bit, fault.bit);
        ASSERT_EQ(stratum.layer, fault.layer.value());
        ASSERT_EQ(
            asked.bit_values[static_cast<std::size_t>(stratum.layer)]->value(fault.bit, fault.parameter),
            stratum.direction == 1);
        ASSERT_TRUE(seen.emplace(stratum.layer, fault.parameter, fault.bit).second);
    }
    // Excluded faults are drawn by no stratum.
    asked.excluded.resize(layers.size());
    for (std::uint64_t k = 0; k < plan.size(); k += 7)
    {
        const WeightFault fault = plan.fault(FaultIndex(k));
        asked.excluded[static_cast<std::size_t>(fault.layer.value())].push_back(
            {fault.parameter, fault.word});
    }
    const Plan rest(layers, asked);
    std::set<std::tuple<std::int32_t, std::uint64_t, std::int32_t>> excluded;
    for (std::uint64_t k = 0; k < plan.size(); k += 7)
    {
        const WeightFault fault = plan.fault(FaultIndex(k));
        excluded.emplace(fault.layer.value(), fault.parameter, fault.bit);
    }
    // A stratum larger than the budget takes others of its faults in the place of the excluded.
    for (std::uint64_t k = 0; k < rest.size(); ++k)
    {
        const WeightFault fault = rest.fault(FaultIndex(k));
        ASSERT_EQ(excluded.count({fault.layer.value(), fault.parameter, fault.bit}), 0U);
    }
    std::uint64_t expected = 0;
    for (const Stratum& stratum : rest.strata())
        expected += std::min(stratum.population, rest.budget());
    EXPECT_EQ(rest.size(), expected);
}

// Horvitz and Thompson's estimator of the last round beside what was known before: unbiased, with intervals
// that hold, though each round looks where the ones before say.
TEST_F(GuidedCampaign, SharesAreUnbiasedAndIntervalsHold)
{
    const double right = truth();
    constexpr int kCampaigns = 150;
    double mean = 0;
    double squares = 0;
    int held = 0;
    double critical_seen = 0;
    for (int c = 0; c < kCampaigns; ++c)
    {
        const Plan plan(layers, options(static_cast<std::uint64_t>(c) + 100, 2000));
        Harvest harvest;
        const std::vector<StratumCount> counts = run(plan, harvest);
        EXPECT_LT(sum(harvest.evaluated), 2400U);
        for (const StratumCount& count : counts)
            EXPECT_GT(count.faults, 0U);
        const ShareEstimate estimate = estimate_share(counts);
        EXPECT_EQ(estimate.covered, 1);
        mean += estimate.share / kCampaigns;
        squares += estimate.share * estimate.share / kCampaigns;
        held += right >= estimate.low && right <= estimate.high ? 1 : 0;
        critical_seen += static_cast<double>(estimate.hits) / kCampaigns;
    }
    const double error = std::sqrt((squares - mean * mean) / kCampaigns);
    EXPECT_NEAR(mean, right, 3.5 * error) << "standard error " << error;
    EXPECT_GE(held, 0.92 * kCampaigns);
    // A plain sample of as many faults would see so many critical ones.
    EXPECT_GT(critical_seen, 2 * right * 2000);
}

TEST_F(GuidedCampaign, RefusesWhatItCannotDo)
{
    EXPECT_THROW(Plan(layers, options(1, 100)), JobError);  // fewer than four for each stratum
    PlanOptions asked = options(1);
    asked.pilot = 100;
    EXPECT_THROW(Plan(layers, asked), JobError);
    asked = options(1);
    asked.upset.model = FaultModel::stuck_at;
    EXPECT_THROW(Plan(layers, asked), JobError);
    asked = options(1, 0);
    PlanOptions layer_wise = asked;
    layer_wise.scheme = Scheme::layer_wise;
    EXPECT_EQ(Plan(layers, asked).budget(), (Plan(layers, layer_wise).size() + 4) / 5);
}

}  // namespace
}  // namespace flipstorm
