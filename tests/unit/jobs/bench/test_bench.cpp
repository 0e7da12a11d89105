#include "jobs/bench/bench.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "analysis/json_text.hpp"
#include "engine/network/builders.hpp"
#include "jobs/bench/bench_print.hpp"

namespace flipstorm
{
namespace
{

std::vector<InjectableLayer> lenet5_layers()
{
    return injectable_layers(build_network("lenet5", {1, 28, 28}, 10, {{0.3F}, {0.3F}}, 1));
}

Plan plan_of(Scheme scheme, std::uint64_t limit)
{
    PlanOptions options;
    options.scheme = scheme;
    options.limit = limit;
    options.images = 100;
    return {lenet5_layers(), options};
}

TEST(BenchFaults, AreOfTheLayerAndContainSmallerSamples)
{
    for (const Scheme scheme : {Scheme::network_wise, Scheme::layer_wise, Scheme::data_unaware})
    {
        const Plan plan = plan_of(scheme, 4000);
        for (std::int32_t l = 0; l < 5; ++l)
        {
            const std::vector<FaultIndex> all = bench_faults(plan, LayerId(l), 1'000'000, 3);
            std::set<std::uint64_t> expected;
            for (std::uint64_t k = 0; k < plan.size(); ++k)
            {
                if (plan.fault(FaultIndex(k)).layer == LayerId(l)) expected.insert(k);
            }
            std::set<std::uint64_t> found;
            for (const FaultIndex fault : all)
                found.insert(fault.value());
            EXPECT_EQ(found, expected);
            EXPECT_EQ(all.size(), expected.size()) << "a fault twice";
            const std::vector<FaultIndex> some = bench_faults(plan, LayerId(l), 7, 3);
            ASSERT_EQ(some.size(), std::min<std::size_t>(7, all.size()));
            EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin()));
        }
    }
}

TEST(BenchFaults, AreSpreadOverTheBitsOfALayer)
{
    const Plan plan = plan_of(Scheme::data_unaware, 16000);
    std::set<std::int32_t> bits;
    for (const FaultIndex fault : bench_faults(plan, LayerId(2), 200, 3))
        bits.insert(plan.fault(fault).bit);
    EXPECT_GT(bits.size(), 28U);
    EXPECT_NE(bench_faults(plan, LayerId(2), 200, 3), bench_faults(plan, LayerId(2), 200, 4));
}

TEST(BenchFaults, ChunksAreThoseOfThePlan)
{
    const Plan plan = plan_of(Scheme::layer_wise, 4000);
    EXPECT_EQ(chunk_faults(plan, LayerId(4)), 100U);  // 800 faults of a small layer: eight chunks
    EXPECT_EQ(chunk_faults(plan, LayerId(5)), 0U);
}

TEST(NextCount, FillsTheTimeInBoundedSteps)
{
    EXPECT_EQ(next_count(4, 1.0, 10, 1000), 32U);     // 0.8 · 10 / 1 times as many
    EXPECT_EQ(next_count(4, 0.001, 10, 1000), 256U);  // at most 64 times
    EXPECT_EQ(next_count(4, 0.0, 10, 1000), 256U);
    EXPECT_EQ(next_count(4, 0.001, 10, 100), 100U);    // at most the most
    EXPECT_EQ(next_count(4, 2.5, 10, 1000), 4U);       // a quarter of the time is enough
    EXPECT_EQ(next_count(100, 0.001, 10, 100), 100U);  // there are no more
    EXPECT_EQ(next_count(1, 2.4, 10, 1000), 3U);
}

/// A layer of `count` outcomes that took some seconds.
LayerBench layer(double seconds, double shared, std::size_t count)
{
    LayerBench bench;
    bench.seconds = seconds;
    bench.shared_seconds = shared;
    bench.chunk = count;
    bench.outcomes.resize(count);
    return bench;
}

TEST(SecondsPerFault, CountsWhatEveryChunkPaysAgain)
{
    // Passes of 4 s, of which 3 s are repeated by each chunk of 50; 100 faults in 2 chunks took 5 s beside.
    LayerBench bench = layer(4 + 3 + 5, 4, 100);
    bench.chunk = 50;
    bench.repeated_seconds = 3;
    // 1,000 faults in 20 chunks: 4 s, 19 times 3 s, and 0.05 s a fault.
    EXPECT_NEAR(seconds_per_fault(bench, 1000), (4 + 19 * 3 + 50) / 1000.0, 1e-12);
    // Noise must not make a fault cost less than nothing.
    bench.seconds = 6;
    EXPECT_NEAR(seconds_per_fault(bench, 50), 4 / 50.0, 1e-12);
}

TEST(FaultsPerSecond, WeighsLayersEqually)
{
    ModeBench mode;
    mode.layers = {layer(10, 2, 100), layer(1, 0, 1000), LayerBench{}};
    // 0.1 s and 0.001 s per fault as measured.
    EXPECT_NEAR(faults_per_second(mode, {100, 1000, 0}), 2 / 0.101, 1e-9);
    // In a campaign of 1,000 faults the 2 s that are shared weigh less.
    EXPECT_NEAR(seconds_per_fault(mode.layers[0], 1000), 0.002 + 0.08, 1e-12);
    EXPECT_NEAR(faults_per_second(mode, {1000, 1000, 0}), 2 / 0.083, 1e-9);
    EXPECT_TRUE(std::isnan(seconds_per_fault(mode.layers[2], 1000)));
    // The same rates from other numbers of faults are the same speed.
    ModeBench other;
    other.layers = {layer(1, 0, 10), layer(0.01, 0, 10)};
    EXPECT_NEAR(faults_per_second(other, {7, 7}), faults_per_second(mode, {100, 1000, 0}), 1e-9);
    // 2 s once and 0.08 s a fault; 0.001 s a fault; and a layer that was not measured.
    EXPECT_NEAR(seconds_for(mode, {1000, 500, 0}), 2 + 80 + 0.5, 1e-9);
    EXPECT_NEAR(seconds_for(mode, {100, 1000, 2000}), 10 + 1 + 101, 1e-9);
    EXPECT_EQ(mode.faults(), 1100U);
    EXPECT_EQ(mode.seconds(), 11);
    EXPECT_EQ(mode.shared_seconds(), 2);
}

Outcome outcome(std::uint32_t evaluated, std::uint32_t correct, std::uint32_t mismatches, bool stopped,
                double drop)
{
    return {{evaluated, correct, mismatches, 0}, {}, stopped, drop};
}

TEST(Compare, TellsEqualBoundedAndDifferingOutcomes)
{
    ModeBench reference;
    ModeBench exact;
    exact.mode = EvaluationMode::exact;
    reference.layers.resize(2);
    exact.layers.resize(2);
    reference.layers[0].outcomes = {outcome(100, 90, 1, false, 0), outcome(100, 20, 75, false, 0.7),
                                    outcome(100, 88, 3, false, 0.02)};
    exact.layers[0].outcomes = {outcome(100, 90, 1, false, 0), outcome(40, 10, 30, true, 0.2),
                                outcome(100, 90, 1, false, 0)};
    reference.layers[1].outcomes = {outcome(100, 80, 10, false, 0.1)};
    exact.layers[1].outcomes = {outcome(40, 10, 30, true, 0.2), outcome(100, 1, 1, false, 0.5)};
    const Agreement agreement = compare(exact, reference, {0.01, 0.15});
    EXPECT_EQ(agreement.mode, EvaluationMode::exact);
    EXPECT_EQ(agreement.against, EvaluationMode::reference);
    EXPECT_EQ(agreement.faults, 4U);
    EXPECT_EQ(agreement.equal, 1U);
    EXPECT_EQ(agreement.bounded, 1U);  // 0.7 ≥ 0.2
    ASSERT_EQ(agreement.differing.size(), 2U);
    EXPECT_EQ(agreement.differing[0].place, 2U);
    EXPECT_EQ(agreement.differing[1].layer, 1U);  // a bound of 0.2 that a drop of 0.1 breaks
    EXPECT_EQ(agreement.moved_images, 2U + 20U);
    EXPECT_EQ(agreement.labels, 8U);
    EXPECT_EQ(agreement.labels_differ, 2U);  // 0.02 against 0 at 0.01; 0.1 against 0.2 at 0.15
}

TEST(CountNearTies, ComparesTheMarginWithTheSizeOfTheLogits)
{
    const float inf = std::numeric_limits<float>::infinity();
    EXPECT_EQ(count_near_ties({1, 2, 3, 3.0001F}, 4), 1U);
    EXPECT_EQ(count_near_ties({1, 2, 3, 3.01F}, 4), 0U);
    EXPECT_EQ(count_near_ties({-1000, 2, 3, 3.01F}, 4), 1U);
    EXPECT_EQ(count_near_ties({1, inf, 3, 3, std::nanf(""), 0, 1, 0}, 2), 3U);
    EXPECT_EQ(count_near_ties({2e35F, 1, 9e34F, 1}, 2), 1U);
    EXPECT_EQ(count_near_ties({}, 4), 0U);
}

TEST(BenchPrint, TablesAndJsonHoldTheNumbers)
{
    BenchSetting setting;
    setting.job = "a \"quoted\"\tname";
    setting.model = "lenet5";
    setting.device = "cpu";
    setting.backend = "auto";
    setting.threads = 2;
    setting.images = 100;
    setting.memory_budget = std::uint64_t{64} << 20U;
    setting.peak = {200e9, "AVX2 FMA"};
    setting.layers = {"conv1", "fc1"};
    setting.plan_faults = {4000, 4000};
    setting.chunk_faults = {50, 100};
    setting.too_small = {"fc1"};
    ModeBench reference;
    reference.layers = {layer(10, 0, 10), layer(10, 0, 10)};
    ModeBench screened;
    screened.mode = EvaluationMode::screened;
    screened.layers = {layer(2, 1, 1000), layer(2, 1, 1000)};
    screened.layers[0].work.pairs = 100'000;
    screened.layers[0].work.screened = 90'000;
    screened.layers[0].work.macs = 1e9;
    screened.layers[0].outcomes[3].screen = {90, 5, 2};
    screened.peak_bytes = std::uint64_t{3} << 20U;
    const std::vector<ModeBench> modes{reference, screened};
    const std::vector<Agreement> agreements{compare(screened, reference, {0.01})};
    const std::vector<ResultTable> tables = bench_tables(setting, modes, agreements);
    ASSERT_EQ(tables.size(), 4U);
    for (const ResultTable& table : tables)
    {
        EXPECT_FALSE(table.rows.empty());
        for (const auto& row : table.rows)
            EXPECT_EQ(row.size(), table.columns.size()) << table.title;
    }
    // 1 s / 4,000 + 1 s / 1,000 a fault against 1 s; 2e9 operations in 4 s are 0.25 % of the peak; 1 + 4000 /
    // 1000 s for each layer.
    EXPECT_EQ(tables[0].rows[1], (std::vector<std::string>{"screened", "1,000", "4 s", "2 s", "800", "800",
                                                           "10 s", "0.5", "0.2", "3", "-"}));
    EXPECT_NE(render_text(tables[1]).find("evaluates fc1 exactly"), std::string::npos);

    const Json json = Json::parse(bench_json(setting, modes, agreements));
    EXPECT_EQ(json["job"], setting.job);
    const Json& mode = json["modes"].back();
    EXPECT_EQ(mode["mode"], "screened");
    EXPECT_EQ(mode["ratio_to_reference"], 800);
    EXPECT_EQ(mode["share_of_peak"], 0.0025);
    EXPECT_EQ(mode["disagreements"], 2);
    EXPECT_EQ(mode["layers"][0]["screened"], 90'000);
    EXPECT_EQ(json["agreement"][0]["faults"], 20);

    // Without reference there is nothing to relate to.
    EXPECT_EQ(bench_tables(setting, {screened}, {})[0].rows[0][5], "-");
    EXPECT_NE(bench_json(setting, {screened}, {}).find("\"ratio_to_reference\": null"), std::string::npos);
}

TEST(BenchPrint, SaysHowManyLayersThereWasTimeFor)
{
    BenchSetting setting;
    setting.peak.flops = 1;
    setting.layers = {"a", "b", "c"};
    setting.plan_faults = {10, 10, 0};
    setting.chunk_faults = {1, 1, 0};
    ModeBench reference;
    reference.layers = {layer(10, 0, 1), LayerBench{}, LayerBench{}};
    const std::vector<ResultTable> tables = bench_tables(setting, {reference}, {});
    EXPECT_EQ(tables[0].rows[0][1], "1 (1 of 2 layers)");
    EXPECT_EQ(tables[2].rows.size(), 2U);
    EXPECT_EQ(tables[2].rows[1].back(), "-");
}

}  // namespace
}  // namespace flipstorm
