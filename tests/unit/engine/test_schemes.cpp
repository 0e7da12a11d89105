// Sample sizes of the schemes on the networks of the literature, fault models in a plan, data-aware priors
// and iterative sizes.

#include <gtest/gtest.h>

#include <array>
#include <bitset>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"
#include "engine/base/statistics.hpp"
#include "engine/faults/data_aware.hpp"
#include "engine/faults/iterative.hpp"
#include "engine/faults/plan.hpp"
#include "engine/network/builders.hpp"

namespace flipstorm
{
namespace
{

std::vector<InjectableLayer> layers_of(const std::string& arch)
{
    BuildOptions options;
    if (arch == "resnet18") options.shortcut = Shortcut::projection;
    const Shape shape = arch == "lenet5" ? Shape{1, 28, 28} : Shape{3, 32, 32};
    const std::vector<float> channels(static_cast<std::size_t>(shape[0]), 0.5F);
    return injectable_layers(build_network(arch, shape, 10, {channels, channels}, 1, options));
}

/// Published totals are for t = 2.58, not 2.5758.
PlanOptions published(Scheme scheme, UpsetModel upset = {})
{
    PlanOptions options;
    options.scheme = scheme;
    options.precision = {0.01, 2.58, 0.5};
    options.upset = upset;
    options.images = 1000;
    return options;
}

struct Totals
{
    std::uint64_t population = 0;
    std::uint64_t planned = 0;
};

Totals totals(std::vector<InjectableLayer> layers, const PlanOptions& options, std::int32_t word_bits = 32)
{
    for (InjectableLayer& layer : layers)
        layer.word_bits = word_bits;
    Totals sum;
    for (const Stratum& stratum : planned_strata(layers, options))
    {
        sum.population += stratum.population;
        sum.planned += stratum.planned;
    }
    return sum;
}

const UpsetModel kBothPolarities{FaultModel::stuck_at, 1};

/// Sample sizes rounded to the nearest whole number, as published ones are; ours are rounded up.
std::uint64_t planned_to_nearest(const std::vector<InjectableLayer>& layers, const PlanOptions& options)
{
    std::uint64_t sum = 0;
    for (const Stratum& stratum : planned_strata(layers, options))
    {
        const auto n = static_cast<double>(stratum.population);
        sum += static_cast<std::uint64_t>(std::llround(n / (1 + 1e-4 * (n - 1) / (2.58 * 2.58 * 0.25))));
    }
    return sum;
}

// Ruospo et al., DATE 2023, Table I.
TEST(PublishedTotals, OfResnet20WithBothPolarities)
{
    const auto layers = layers_of("resnet20");
    const Totals network = totals(layers, published(Scheme::network_wise, kBothPolarities));
    // The paper's network has 268,346 weights; ours without the 10 biases of its last layer.
    EXPECT_EQ(network.population, (17'174'144U - 10U * 64U));
    EXPECT_EQ(network.planned, 16'625U);
    const PlanOptions layer_wise = published(Scheme::layer_wise, kBothPolarities);
    const PlanOptions data_unaware = published(Scheme::data_unaware, kBothPolarities);
    EXPECT_EQ(planned_to_nearest(layers, layer_wise), 307'649U);
    EXPECT_EQ(planned_to_nearest(layers, data_unaware), 4'885'632U);
    // Rounded up instead: 11 of 20 strata, and 64 of 640, have one fault more.
    EXPECT_EQ(totals(layers, layer_wise).planned, 307'660U);
    EXPECT_EQ(totals(layers, data_unaware).planned, 4'885'696U);
}

TEST(PublishedTotals, OfLenet5ByWordLength)
{
    const auto layers = layers_of("lenet5");
    const auto of = [&](Scheme scheme, std::int32_t bits) {
        return totals(layers, published(scheme), bits).planned;
    };
    EXPECT_EQ(of(Scheme::data_unaware, 32), 693'856U);
    EXPECT_EQ(of(Scheme::data_unaware, 16), 346'928U);
    EXPECT_EQ(of(Scheme::data_unaware, 8), 173'464U);
    EXPECT_EQ(of(Scheme::layer_wise, 32), 59'971U);
    EXPECT_EQ(of(Scheme::layer_wise, 16), 52'518U);
    EXPECT_EQ(of(Scheme::layer_wise, 8), 44'568U);
}

// Counts the 10 biases of the last layer among its weights.
TEST(PublishedTotals, OfResnet18ByWordLength)
{
    auto layers = layers_of("resnet18");
    layers.back().weights += 10;
    const auto of = [&](Scheme scheme, std::int32_t bits) {
        return totals(layers, published(scheme), bits).planned;
    };
    EXPECT_NEAR(static_cast<double>(of(Scheme::data_unaware, 32)), 8.68e6, 5e3);
    EXPECT_NEAR(static_cast<double>(of(Scheme::data_unaware, 16)), 4.34e6, 5e3);
    EXPECT_NEAR(static_cast<double>(of(Scheme::data_unaware, 8)), 2.17e6, 5e3);
    EXPECT_EQ(of(Scheme::layer_wise, 32), 341'463U);
    EXPECT_EQ(of(Scheme::layer_wise, 16), 335'307U);
    EXPECT_EQ(of(Scheme::layer_wise, 8), 325'889U);
}

// 150 + 2,400 + 48,000 + 10,080 + 840 weights.
TEST(Populations, OfTheFaultModels)
{
    const auto layers = layers_of("lenet5");
    const auto of = [&](UpsetModel upset, Scheme scheme) {
        return totals(layers, published(scheme, upset)).population;
    };
    for (const Scheme scheme : {Scheme::network_wise, Scheme::layer_wise, Scheme::data_unaware})
    {
        EXPECT_EQ(of({}, scheme), 61'470U * 32);
        EXPECT_EQ(of(kBothPolarities, scheme), 61'470U * 64);
        EXPECT_EQ(of({FaultModel::stuck_at_1, 1}, scheme), 61'470U * 32);
        EXPECT_EQ(of({FaultModel::adjacent_bits, 3}, scheme), 61'470U * 30);
        EXPECT_EQ(of({FaultModel::random_bits, 3}, scheme), 61'470U * 4960);
    }
    // Bits 0 and 1 are the highest of no burst of three.
    EXPECT_EQ(planned_strata(layers, published(Scheme::data_unaware, {FaultModel::adjacent_bits, 3})).size(),
              5U * 30U);
}

TEST(PlanOfAFaultModel, DrawsItsFaultsOnceEach)
{
    const auto layers = layers_of("lenet5");
    for (const UpsetModel& upset :
         {kBothPolarities, UpsetModel{FaultModel::adjacent_bits, 2}, UpsetModel{FaultModel::random_bits, 4}})
    {
        for (const Scheme scheme : {Scheme::network_wise, Scheme::layer_wise, Scheme::data_unaware})
        {
            PlanOptions options = published(scheme, upset);
            options.limit = 10'000;
            const Plan plan(layers, options);
            std::set<std::tuple<std::int32_t, std::uint64_t, std::uint32_t, BitEffect>> seen;
            for (std::uint64_t k = 0; k < plan.size(); ++k)
            {
                const WeightFault fault = plan.fault(FaultIndex(k));
                const Stratum& stratum = plan.strata()[static_cast<std::size_t>(fault.stratum.value())];
                ASSERT_TRUE(belongs_to(upset, 32, fault.word));
                ASSERT_EQ(fault.bit, highest_bit(fault.word.mask));
                ASSERT_LT(fault.parameter, layers[static_cast<std::size_t>(fault.layer.value())].weights);
                ASSERT_TRUE(stratum.bit < 0 || stratum.bit == fault.bit);
                ASSERT_TRUE(
                    seen.emplace(fault.layer.value(), fault.parameter, fault.word.mask, fault.word.effect)
                        .second);
            }
            EXPECT_EQ(seen.size(), 10'000U);
        }
    }
}

TEST(ExhaustivePlan, HoldsEveryFaultOfTheChosenLayersOnce)
{
    const auto layers = layers_of("lenet5");
    for (const Scheme scheme : {Scheme::network_wise, Scheme::layer_wise, Scheme::data_unaware})
    {
        PlanOptions options = published(scheme, kBothPolarities);
        options.layers = {"conv1", "fc3"};
        options.exhaustive = true;
        const Plan plan(layers, options);
        ASSERT_EQ(plan.size(), (150U + 840U) * 64U);
        std::set<std::tuple<std::int32_t, std::uint64_t, std::uint32_t, BitEffect>> seen;
        for (std::uint64_t k = 0; k < plan.size(); ++k)
        {
            const WeightFault fault = plan.fault(FaultIndex(k));
            seen.emplace(fault.layer.value(), fault.parameter, fault.word.mask, fault.word.effect);
        }
        EXPECT_EQ(seen.size(), plan.size());
        EXPECT_EQ(std::get<0>(*seen.begin()), 0);
        EXPECT_EQ(std::get<0>(*seen.rbegin()), 4);
        std::uint64_t covered = 0;
        for (const Chunk& chunk : plan.chunks())
            covered += chunk.count;
        EXPECT_EQ(covered, plan.size());
    }
}

TEST(ChosenLayers, AreNamedInTheErrorIfUnknown)
{
    PlanOptions options = published(Scheme::layer_wise);
    options.layers = {"conv1", "conv9"};
    try
    {
        static_cast<void>(planned_strata(layers_of("lenet5"), options));
        FAIL() << "accepted";
    }
    catch (const JobError& error)
    {
        EXPECT_NE(std::string(error.what()).find("'conv9'"), std::string::npos) << error.what();
        EXPECT_NE(std::string(error.what()).find("conv1, conv2, fc1, fc2, fc3"), std::string::npos);
    }
    options.layers = {};
    options.upset = {FaultModel::adjacent_bits, 9};
    auto layers = layers_of("lenet5");
    for (InjectableLayer& layer : layers)
        layer.word_bits = 8;
    EXPECT_THROW(static_cast<void>(planned_strata(layers, options)), JobError);
}

// Weights 1 and −2: words 0x3F800000 and 0xC0000000. Bit 22 (the first of the mantissa) is 0 in both: 1 → 1.5
// and −2 → −3. Bit 23: 1 in 1 (→ 0.5), 0 in −2 (→ −4). Bit 30: 0 in 1 (→ infinity), 1 in −2 (→ −0, 2 away).
TEST(BitStatistics, ByHand)
{
    const std::vector<BitStatistics> s = bit_statistics(StoredTensor({2}, {1.0F, -2.0F}));
    ASSERT_EQ(s.size(), 32U);
    EXPECT_EQ(s[22].zeros, 2);
    EXPECT_EQ(s[22].ones, 0);
    EXPECT_DOUBLE_EQ(s[22].distance_01, 0.75);
    EXPECT_DOUBLE_EQ(s[22].distance(), 0.75);
    EXPECT_EQ(s[23].ones, 1);
    EXPECT_DOUBLE_EQ(s[23].distance_10, 0.5);
    EXPECT_DOUBLE_EQ(s[23].distance_01, 2);
    EXPECT_DOUBLE_EQ(s[23].distance(), 1.25);
    EXPECT_DOUBLE_EQ(s[30].distance_01, static_cast<double>(std::numeric_limits<float>::max()));
    EXPECT_DOUBLE_EQ(s[30].distance_10, 2);
    EXPECT_DOUBLE_EQ(s[31].distance(), 3);
}

BitStatistics at_distance(double distance)
{
    return {1, 0, distance, 0};
}

TEST(CriticalPriors, ScaleDistancesToHalf)
{
    const std::vector<double> p = critical_priors({at_distance(1), at_distance(3), at_distance(5)});
    EXPECT_DOUBLE_EQ(p[0], 0);
    EXPECT_DOUBLE_EQ(p[1], 0.25);
    EXPECT_DOUBLE_EQ(p[2], 0.5);
    for (const double equal : critical_priors({at_distance(2), at_distance(2)}))
        EXPECT_EQ(equal, 0.5);
}

// Fifteen distances of 0 … 14 and one of 10⁶: mean 62,506.6, standard deviation 242,060.4, fence 788,688: the
// outlier does not set the scale, and is 0.5 itself.
TEST(CriticalPriors, AnOutlierDoesNotSetTheScale)
{
    std::vector<BitStatistics> statistics;
    for (int i = 0; i < 15; ++i)
        statistics.push_back(at_distance(i));
    statistics.push_back(at_distance(1e6));
    const std::vector<double> p = critical_priors(statistics);
    EXPECT_DOUBLE_EQ(p[0], 0);
    EXPECT_DOUBLE_EQ(p[7], 0.25);
    EXPECT_DOUBLE_EQ(p[14], 0.5);
    EXPECT_DOUBLE_EQ(p[15], 0.5);
}

TEST(DataAware, PlansEachBitWithItsPrior)
{
    auto layers = layers_of("lenet5");
    PlanOptions options = published(Scheme::data_aware);
    options.priors.assign(5, std::vector<double>(32, 0.0));
    options.priors[2][30] = 0.5;
    options.priors[2][29] = 0.1;
    const std::vector<Stratum> strata = planned_strata(layers, options);
    ASSERT_EQ(strata.size(), 160U);
    // 48,000 / (1 + 1e-4 · 47,999 / (2.58² · 0.25)) = 12,357.6; with 0.1 · 0.9: 5,328.0.
    EXPECT_EQ(strata[64 + 30].planned, 12'358U);
    EXPECT_EQ(strata[64 + 29].planned,
              static_cast<std::uint64_t>(std::ceil(48000 / (1 + 1e-4 * 47999 / (2.58 * 2.58 * 0.09)))));
    EXPECT_EQ(strata[0].planned, 1U);  // p = 0: one fault all the same
}

TEST(IterativeSize, IsTheSmallestWithinTheMargin)
{
    const Precision precision{0.01, 2.5758, 0.5};
    // z² / (2 (m + z²)) ≤ e: m ≥ 6.6347 · 49 = 325.1 of a large population.
    EXPECT_EQ(smallest_sample(1'000'000'000, precision), 326U);
    EXPECT_EQ(smallest_sample(150, precision), 103U);  // 325.1 · 150 / (325.1 + 150) = 102.6
    EXPECT_EQ(smallest_sample(0, precision), 0U);
    for (const std::uint64_t population : {150ULL, 2400ULL, 48000ULL})
    {
        for (const std::uint64_t hits : {0ULL, 1ULL, 9ULL, 50ULL})
        {
            const std::uint64_t n = next_sample_size(population, {100, hits}, precision);
            const auto within = [&](std::uint64_t size) {
                return wilson_half_width(static_cast<double>(hits) / 100, size, population,
                                         precision.quantile) <= precision.error_margin;
            };
            if (n < 200)
            {
                EXPECT_TRUE(within(n));
            }
            EXPECT_TRUE(n == 100 || !within(n - 1)) << population << " " << hits;
            EXPECT_LE(n, 200U);
            EXPECT_LE(n, population);
        }
    }
    EXPECT_EQ(next_sample_size(150, {150, 20}, precision), 150U);
    EXPECT_EQ(next_sample_size(1'000'000, {326, 0}, precision), 326U);
    EXPECT_GT(next_sample_size(1'000'000, {326, 1}, precision), 326U);
    EXPECT_THROW(static_cast<void>(next_sample_size(100, {0, 0}, precision)), Error);
    EXPECT_THROW(static_cast<void>(smallest_sample(100, {0, 2.58, 0.5})), JobError);
}

// Stopping where the interval looks narrow enough makes it hold a little less often than promised, not much.
TEST(IterativeSize, IntervalsHoldNearlyAsOftenAsPromised)
{
    const Precision precision{0.02, 1.96, 0.5};
    constexpr std::uint64_t kPopulation = 100'000;
    RandomStream random(5, RandomPurpose::test);
    for (const double truth : {0.003, 0.05, 0.3})
    {
        constexpr int kTrials = 2000;
        int held = 0;
        for (int trial = 0; trial < kTrials; ++trial)
        {
            SeenFaults seen;
            std::uint64_t n = smallest_sample(kPopulation, precision);
            while (n > seen.faults)
            {
                for (; seen.faults < n; ++seen.faults)
                    seen.hits += random.uniform() < truth ? 1U : 0U;
                n = next_sample_size(kPopulation, seen, precision);
            }
            const double share = static_cast<double>(seen.hits) / static_cast<double>(seen.faults);
            const double z2 = 1.96 * 1.96 / static_cast<double>(seen.faults);
            const double centre = (share + z2 / 2) / (1 + z2);
            const double half = wilson_half_width(share, seen.faults, kPopulation, 1.96);
            EXPECT_LE(half, 0.02);
            if (std::abs(truth - centre) <= half) ++held;
        }
        EXPECT_GE(held, 0.93 * kTrials) << truth;
    }
}

TEST(IterativePlan, CutsEachStratumIntoItsPilotAndSmallSteps)
{
    const auto layers = layers_of("lenet5");
    const Plan plan(layers, published(Scheme::iterative));
    const Plan bound(layers, published(Scheme::data_unaware));
    EXPECT_EQ(plan.size(), bound.size());
    std::uint64_t next = 0;
    std::vector<std::uint64_t> before(plan.strata().size(), 0);
    for (const Chunk& chunk : plan.chunks())
    {
        ASSERT_EQ(chunk.first.value(), next);
        next += chunk.count;
        const StratumId stratum = plan.fault(chunk.first).stratum;
        ASSERT_EQ(plan.fault(FaultIndex(next - 1)).stratum, stratum);
        std::uint64_t& done = before[static_cast<std::size_t>(stratum.value())];
        if (done == 0)
        {
            EXPECT_EQ(chunk.count, plan.pilot(stratum));
            EXPECT_EQ(chunk.count,
                      smallest_sample(plan.strata()[static_cast<std::size_t>(stratum.value())].population,
                                      {0.01, 2.58, 0.5}));
        }
        else
        {
            EXPECT_LE(chunk.count, std::max<std::uint64_t>(16, done / 8));
        }
        done += chunk.count;
    }
    EXPECT_EQ(next, plan.size());
    // The faults themselves are those of the data-unaware plan.
    for (const std::uint64_t k : {0ULL, 1000ULL, 100'000ULL, 600'000ULL})
    {
        EXPECT_EQ(plan.fault(FaultIndex(k)).parameter, bound.fault(FaultIndex(k)).parameter);
        EXPECT_EQ(plan.fault(FaultIndex(k)).bit, bound.fault(FaultIndex(k)).bit);
    }
    PlanOptions asked = published(Scheme::iterative);
    asked.pilot = 40;
    EXPECT_EQ(Plan(layers, asked).pilot(StratumId(100)), 40U);
    EXPECT_THROW(static_cast<void>(bound.pilot(StratumId(0))), Error);
}

}  // namespace
}  // namespace flipstorm
