#include "jobs/cost/cost_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/base/error.hpp"
#include "engine/network/builders.hpp"
#include "jobs/campaign/outcome_codec.hpp"

namespace flipstorm
{
namespace
{

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

std::vector<InjectableLayer> lenet_layers()
{
    return injectable_layers(build_network("lenet5", {1, 28, 28}, 10, {{0.3F}, {0.3F}}, 1));
}

Plan plan_of(Scheme scheme, std::uint64_t limit)
{
    PlanOptions options;
    options.scheme = scheme;
    options.limit = limit;
    options.seed = 1;
    options.images = 1000;
    options.shared_passes = 1;
    return Plan(lenet_layers(), options);
}

/// Layers that cost 1, 2, 3 … and classes that cost 1, 10, 100 …
CostModel synthetic_model()
{
    CostModel model;
    model.classes.assign(5, bit_classes(NumberFormat::fp32));
    for (int l = 1; l <= 5; ++l)
    {
        LayerCost cost;
        cost.shared = 1000.0 * l;
        for (std::size_t c = 0; c < model.classes[0].size(); ++c)
            cost.faults.push_back(l * std::pow(10, static_cast<double>(c)));
        model.layers.push_back(cost);
        LayerMemory memory;
        memory.tiles = 50;
        memory.together = 2;
        memory.kept = 20;
        memory.group = 256;
        model.memory.push_back(memory);
    }
    return model;
}

TEST(CostModel, AChunkCostsWhatItsFaultsCost)
{
    const CostModel model = synthetic_model();
    for (const Scheme scheme : {Scheme::network_wise, Scheme::layer_wise, Scheme::data_unaware})
    {
        const Plan plan = plan_of(scheme, 5000);
        const std::vector<QueuedChunk> queue = queue_of(plan, model);
        const std::vector<ChunkId> order = dearest_first(plan);
        ASSERT_EQ(queue.size(), order.size());
        for (std::size_t i = 0; i < order.size(); ++i)
        {
            const Chunk& chunk = plan.chunks()[order[i].value()];
            double own = 0;
            for (std::uint64_t k = 0; k < chunk.count; ++k)
            {
                const WeightFault fault = plan.fault(FaultIndex(chunk.first.value() + k));
                const auto bit = static_cast<std::size_t>(fault.bit);
                own += model.layers[static_cast<std::size_t>(fault.layer.value())]
                           .faults[model.classes[0].of_bit[bit]];
            }
            EXPECT_EQ(queue[i].layer, chunk.layer.value());
            EXPECT_NEAR(queue[i].own, own, 1e-9 * own);
            EXPECT_DOUBLE_EQ(queue[i].shared, 1000.0 * (1 + chunk.layer.value()));
            EXPECT_DOUBLE_EQ(queue[i].shared_again, queue[i].shared * 30 / 50);
        }
    }
}

TEST(CostModel, ThreadsShareTilesAndGroups)
{
    CostModel model = synthetic_model();
    model.threads = {8, 6.6};  // 1 thread: 1; each more: 0.8
    std::vector<std::uint64_t> counts(model.classes[0].size(), 0);
    counts[0] = 300;  // two groups, on two tiles: four threads have something to do
    const QueuedChunk chunk = cost_of(model, LayerId(0), counts);
    EXPECT_DOUBLE_EQ(chunk.shared, 1000 / 1.8);
    EXPECT_DOUBLE_EQ(chunk.own, 300 / 3.4);
    counts[0] = 10000;
    EXPECT_DOUBLE_EQ(cost_of(model, LayerId(0), counts).own, 10000 / 6.6);
}

/// Stop by stop: images in evaluation order, of which every so manieth is right under the fault.
double simulated_share(double golden, double correct, double tolerance, std::uint64_t images)
{
    const auto wrong = static_cast<std::uint64_t>(std::llround((1 - golden) * static_cast<double>(images)));
    const std::uint64_t golden_correct = images - wrong;
    Tally tally;
    double right = 0;
    for (std::uint64_t n = 0; n < images; ++n)
    {
        right += correct;
        ++tally.evaluated;
        if (right >= 1)
        {
            right -= 1;
            ++tally.correct;
        }
        const bool wave = (n + 1) % static_cast<std::uint64_t>(kWaveImages) == 0;
        if (wave && certain_drop(tally, golden_correct, images) > tolerance)
            return static_cast<double>(n + 1) / static_cast<double>(images);
    }
    return 1;
}

TEST(ShareBeforeStop, IsThatOfTheEvaluatorsRule)
{
    for (const double golden : {0.55, 0.83, 0.9, 1.0})
    {
        for (const double correct : {0.0, 0.1, 0.3, 0.5, 0.8, 0.9, 1.0})
        {
            for (const double tolerance : {0.005, 0.1})
            {
                const double share = share_before_stop(golden, correct, tolerance, 10000);
                EXPECT_NEAR(share, simulated_share(golden, correct, tolerance, 10000), 0.0401)
                    << golden << " " << correct << " " << tolerance;
            }
        }
    }
    EXPECT_EQ(share_before_stop(0.9, 0.1, 0.1, 400), 1);  // one wave
    // (1 − 0.9) + (0.1 + 0.1 · 0.1) / 0.9 = 0.2222 of 10,000, in waves of 400
    EXPECT_DOUBLE_EQ(share_before_stop(0.9, 0.1, 0.1, 10000), 0.24);
}

Outcome outcome(std::uint32_t evaluated, std::uint32_t correct, std::uint32_t screened)
{
    Outcome result;
    result.tally = {evaluated, correct, 0, 0};
    result.screen = {screened, 0, 0};
    return result;
}

TEST(SecondsOfFault, ScalesWithTheImages)
{
    // Two harmless faults of 3 s each on 100 of 10,000 images.
    const ClassSample harmless{6, {outcome(100, 90, 100), outcome(100, 90, 100)}};
    EXPECT_NEAR(seconds_of_fault(harmless, 100, 0.9, 0.1, 10000), 300, 1e-9);
    // A fault that stops at 24 % of the images.
    const ClassSample critical{3, {outcome(100, 10, 0)}};
    EXPECT_NEAR(seconds_of_fault(critical, 100, 0.9, 0.1, 10000), 300 * 0.24, 1e-9);
    // Of the two together nearly all the time is the critical one's.
    const ClassSample both{4, {outcome(100, 10, 0), outcome(100, 90, 100)}};
    EXPECT_NEAR(seconds_of_fault(both, 100, 0.9, 0.1, 10000), 200 * (1.02 * 0.24 + 0.02) / 1.04, 1e-9);
    EXPECT_THROW(static_cast<void>(seconds_of_fault({}, 100, 0.9, 0.1, 10000)), Error);
}

TEST(Audits, CostWhatFollowedPairsCost)
{
    // Of 2 · 100 pairs 150 were followed, in 3 s; of the other class 10 of 100: too few to tell.
    const std::vector<ClassSample> samples{
        {3, {outcome(100, 50, 40), outcome(100, 50, 10)}, 150}, {9, {outcome(100, 90, 90)}, 10}, {}};
    EXPECT_DOUBLE_EQ(samples[0].screened(100), 0.25);
    EXPECT_DOUBLE_EQ(samples[1].screened(100), 0.9);
    EXPECT_EQ(samples[2].screened(100), 0);
    const double pair = seconds_per_finished_pair(samples, 100);
    EXPECT_DOUBLE_EQ(pair, 0.02);
    EXPECT_TRUE(std::isnan(seconds_per_finished_pair({samples[1]}, 100)));
    LayerCost cost{1, {5, 7, kUnknown}};
    add_audits(cost, {0.25, 0.9, 0}, 0.01, pair, 10000);
    EXPECT_DOUBLE_EQ(cost.faults[0], 5 + 0.5);
    EXPECT_DOUBLE_EQ(cost.faults[1], 7 + 1.8);
    EXPECT_TRUE(std::isnan(cost.faults[2])) << "still unknown";
}

// Costs that are a product of layer and class come back, whatever is missing.
TEST(FillGaps, RecoversWhatIsProportional)
{
    const std::vector<InjectableLayer> layers = lenet_layers();
    const CostModel model = synthetic_model();
    std::vector<LayerCost> costs = model.layers;
    costs[1].faults[2] = kUnknown;
    costs[3].faults[0] = kUnknown;
    fill_gaps(costs, layers, model.classes);
    EXPECT_NEAR(costs[1].faults[2], model.layers[1].faults[2], 1e-6 * model.layers[1].faults[2]);
    EXPECT_NEAR(costs[3].faults[0], model.layers[3].faults[0], 1e-6 * model.layers[3].faults[0]);
    // What was measured stays.
    EXPECT_EQ(costs[0].faults, model.layers[0].faults);
    EXPECT_EQ(costs[2].shared, model.layers[2].shared);
}

TEST(FillGaps, AWholeLayerByItsArithmetic)
{
    const std::vector<InjectableLayer> layers = lenet_layers();
    const BitClasses classes = bit_classes(NumberFormat::fp32);
    std::vector<LayerCost> costs;
    for (const InjectableLayer& layer : layers)
        costs.push_back(
            {7, std::vector<double>(classes.size(), 1e-6 * static_cast<double>(layer.suffix_macs))});
    const std::vector<LayerCost> all = costs;
    costs[2] = {kUnknown, std::vector<double>(classes.size(), kUnknown)};
    const std::vector<BitClasses> of_layers(layers.size(), classes);
    fill_gaps(costs, layers, of_layers);
    EXPECT_DOUBLE_EQ(costs[2].shared, 7);
    for (std::size_t c = 0; c < classes.size(); ++c)
        EXPECT_NEAR(costs[2].faults[c], all[2].faults[c], 1e-9 * all[2].faults[c]);
    std::vector<LayerCost> none(5, {kUnknown, std::vector<double>(classes.size(), kUnknown)});
    EXPECT_THROW(fill_gaps(none, layers, of_layers), Error);
}

TEST(FillGaps, ALayerOfOtherBitsByThoseOfItsFormat)
{
    const std::vector<InjectableLayer> layers = lenet_layers();
    const BitClasses floats = bit_classes(NumberFormat::fp32);
    const BitClasses halves = bit_classes(NumberFormat::fp16);
    ASSERT_NE(floats.size(), halves.size());
    const std::vector<BitClasses> classes{floats, halves, floats, halves, floats};
    std::vector<LayerCost> costs;
    for (const BitClasses& of_layer : classes)
    {
        LayerCost cost{1, {}};
        for (std::size_t c = 0; c < of_layer.size(); ++c)
            cost.faults.push_back(of_layer.size() == floats.size() ? std::pow(2, static_cast<double>(c))
                                                                   : std::pow(3, static_cast<double>(c)));
        costs.push_back(cost);
    }
    const std::vector<LayerCost> all = costs;
    costs[2].faults[3] = kUnknown;
    costs[3].faults[1] = kUnknown;
    fill_gaps(costs, layers, classes);
    EXPECT_NEAR(costs[2].faults[3], 8, 1e-9);
    EXPECT_NEAR(costs[3].faults[1], 3, 1e-9);
    EXPECT_EQ(costs[1].faults, all[1].faults);
}

TEST(CostsByMacs, AreThoseOfThePlan)
{
    const std::vector<InjectableLayer> layers = lenet_layers();
    const BitClasses classes = bit_classes(NumberFormat::fp32);
    PlanOptions options;
    options.scheme = Scheme::data_unaware;
    options.limit = 3000;
    options.images = 1000;
    options.shared_passes = 3;
    std::vector<double> by_bit;
    for (const std::size_t bits : classes.of_bit)
        by_bit.push_back(classes.followed[bits]);
    options.followed_by_bit.assign(layers.size(), by_bit);
    const Plan plan(layers, options);
    CostModel model;
    model.classes.assign(layers.size(), classes);
    model.layers = costs_by_macs(layers, model.classes, options, 1e9);
    model.memory.assign(layers.size(), LayerMemory{});
    const std::vector<ChunkId> order = dearest_first(plan);
    const std::vector<QueuedChunk> queue = queue_of(plan, model);
    for (std::size_t i = 0; i < order.size(); ++i)
    {
        const double macs = plan.chunks()[order[i].value()].macs;
        EXPECT_NEAR(queue[i].shared + queue[i].own, macs / 1e9, 1e-9 * macs / 1e9);
    }
}

TEST(FileSizes, TheJournalIsWhatTheCodecWrites)
{
    const Plan plan = plan_of(Scheme::layer_wise, 3000);
    double bytes = 0;
    for (const Chunk& chunk : plan.chunks())
        bytes += static_cast<double>(encode_outcomes(std::vector<Outcome>(chunk.count)).size()) + 17;
    EXPECT_NEAR(file_sizes(plan, lenet_layers(), 1000).journal, bytes, 1e-6);
}

// jobs/quickstart.sh: 59,811 faults, 10,000 images, 973,929 bytes.
TEST(FileSizes, OfTheQuickstartsCampaign)
{
    PlanOptions options;
    options.scheme = Scheme::layer_wise;
    options.precision = {0.01, 2.5758, 0.5};
    const Plan plan(lenet_layers(), options);
    ASSERT_NEAR(static_cast<double>(plan.size()), 59811, 30);
    EXPECT_NEAR(file_sizes(plan, lenet_layers(), 10000).campaign, 973929, 0.1 * 973929);
}

TEST(RankMemory, IsWhatStandsAndTheLargestOfWhatComesAndGoes)
{
    RankMemory memory;
    memory.standing = 1000;  // with, say, five copies of the parameters
    memory.parameters = 100;
    EXPECT_EQ(memory.peak(), 1100U);
    memory.start = 300;
    EXPECT_EQ(memory.peak(), 1300U);
    memory.layer.prepared = 400;
    memory.layer.preparing = 50;
    memory.layer.work = 7;
    EXPECT_EQ(memory.peak(), 1457U);
    memory.on_host = false;  // on a GPU
    EXPECT_EQ(memory.peak(), 1300U);
}

TEST(LargestLayer, IsOfPreparedPreparingAndWork)
{
    std::vector<LayerMemory> layers(3);
    layers[0].prepared = 5;
    layers[1].preparing = 4;
    layers[1].work = 3;
    layers[2].work = 6;
    EXPECT_EQ(largest_layer(layers), 1U);
    EXPECT_THROW(static_cast<void>(largest_layer({})), Error);
}

}  // namespace
}  // namespace flipstorm
