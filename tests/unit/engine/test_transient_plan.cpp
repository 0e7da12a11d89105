#include "engine/faults/transient_plan.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "engine/base/error.hpp"
#include "engine/network/builders.hpp"
#include "sample_networks.hpp"

namespace flipstorm
{
namespace
{

Network small_network()
{
    Graph graph({1, 8, 8});
    NodeId at = graph.add("conv", Conv2dOp{1, 4, 3, 1, 1, 1, true}, {NodeId(0)});
    at = graph.add("relu", ReluOp{}, {at});
    at = graph.add("flatten", FlattenOp{}, {at});
    graph.add("fc", LinearOp{256, 3, true}, {at});
    return with_parameters(std::move(graph), 3, 1);
}

TransientPlanOptions map_options()
{
    TransientPlanOptions options;
    options.plan.seed = 9;
    options.plan.images = 50;
    options.rules =
        FeatureMapRules{{Geometry::single, Geometry::block}, {1, 0.3}, UniformError{1}, Combine::add};
    return options;
}

/// Everything that makes up a strike, as text.
std::string text(const TransientStrike& strike)
{
    std::string all = fmt::format("{} {}:", strike.stratum.value(), strike.layer.value());
    for (const std::int64_t image : strike.images)
        all += fmt::format(" {}", image);
    if (const auto* map = std::get_if<FeatureMapFault>(&strike.fault))
    {
        all += fmt::format(" {} {} {} {} {}", static_cast<int>(map->geometry), map->value,
                           map->region.row_begin, map->region.column_end, map->region.channels.size());
    }
    else
    {
        const auto& fault = std::get<InstructionFault>(strike.fault);
        all += fmt::format(" {} {} {} {}", fault.element, fault.step, fault.bit, fault.value);
    }
    return all;
}

TEST(TransientPlan, SamplesAnUnboundedPopulation)
{
    const TransientPlan plan(small_network(), map_options());
    ASSERT_EQ(plan.plan().strata().size(), 2U);
    for (const Stratum& stratum : plan.plan().strata())
        EXPECT_EQ(stratum.planned, 16587U);  // t² / (4 e²) at 1 % and 99 %
    EXPECT_EQ(plan.plan().size(), 2 * 16587U);
}

TEST(TransientPlan, PopulationsCompareAsTheLayersWeigh)
{
    const Network network = small_network();
    TransientPlanOptions options = map_options();
    const auto ratio = [&] {
        const TransientPlan plan(network, options);
        return static_cast<double>(plan.plan().strata()[0].population) /
               static_cast<double>(plan.plan().strata()[1].population);
    };
    EXPECT_EQ(ratio(), 1);
    options.layers = LayerWeight::macs;
    EXPECT_DOUBLE_EQ(ratio(), 4 * 64 * 9 / 768.0);
    options.rules = InstructionRules{};
    EXPECT_DOUBLE_EQ(ratio(), 4 * 64 * 9 / 768.0);
    // Warps: 4 rows × (64 / 16 · 4) columns of fragment places and 9 steps, against 3 × 1 and 256.
    options.rules = InstructionRules{InstructionModel::warp_random_value, UniformError{1}};
    EXPECT_DOUBLE_EQ(ratio(), 4 * 16 * 9 / 768.0);
}

TEST(TransientPlan, NetworkWiseDrawsLayersByWeight)
{
    TransientPlanOptions options = map_options();
    options.plan.scheme = Scheme::network_wise;
    options.layers = LayerWeight::macs;
    const TransientPlan plan(small_network(), options);
    ASSERT_EQ(plan.plan().strata().size(), 1U);
    std::map<std::int32_t, double> faults;
    for (const Chunk& chunk : plan.plan().chunks())
        faults[chunk.layer.value()] += static_cast<double>(chunk.count);
    EXPECT_EQ(faults[0] + faults[1], 16587);
    EXPECT_NEAR(faults[0] / 16587, 0.75, 0.01);  // 2304 of 3072 MACs; three standard deviations
}

TEST(TransientPlan, AFaultIsAPureFunctionAndALimitGivesASubset)
{
    const Network network = small_network();
    for (const TransientRules& rules : {map_options().rules, TransientRules(InstructionRules{})})
    {
        TransientPlanOptions options = map_options();
        options.rules = rules;
        options.images_per_fault = 3;
        options.plan.limit = 400;
        const TransientPlan large(network, options);
        const TransientPlan again(network, options);
        options.plan.limit = 100;
        const TransientPlan small(network, options);
        options.plan.seed = 10;
        const TransientPlan other(network, options);
        std::set<std::string> all;
        for (std::uint64_t i = 0; i < 400; ++i)
        {
            all.insert(text(large.strike(FaultIndex(i))));
            EXPECT_EQ(text(large.strike(FaultIndex(i))), text(again.strike(FaultIndex(i))));
        }
        EXPECT_EQ(all.size(), 400U);
        std::size_t shared = 0;
        for (std::uint64_t i = 0; i < 100; ++i)
        {
            EXPECT_EQ(all.count(text(small.strike(FaultIndex(i)))), 1U);
            shared += all.count(text(other.strike(FaultIndex(i))));
        }
        EXPECT_EQ(shared, 0U);
        EXPECT_THROW(static_cast<void>(small.strike(FaultIndex(100))), Error);
    }
}

TEST(TransientPlan, ImagesAreStruckEquallyOften)
{
    TransientPlanOptions options = map_options();
    options.plan.limit = 200;
    for (const std::uint64_t per_fault : {1U, 5U, 7U, 50U, 0U})
    {
        options.images_per_fault = per_fault;
        const TransientPlan plan(small_network(), options);
        const std::uint64_t struck = per_fault == 0 ? 50 : per_fault;
        EXPECT_EQ(plan.images_per_fault(), struck);
        std::map<std::int64_t, std::uint64_t> hits;
        for (std::uint64_t i = 0; i < 100; ++i)  // the faults of the first layer
        {
            const std::vector<std::int64_t> images = plan.strike(FaultIndex(i)).images;
            const std::set<std::int64_t> distinct(images.begin(), images.end());
            ASSERT_EQ(distinct.size(), struck);
            EXPECT_TRUE(std::is_sorted(images.begin(), images.end()));
            EXPECT_TRUE(*distinct.begin() >= 0 && *distinct.rbegin() < 50);
            for (const std::int64_t image : images)
                ++hits[image];
        }
        if (struck == 7) continue;  // 49 of 50 images at a time: nearly equally
        for (std::int64_t image = 0; image < 50; ++image)
            EXPECT_EQ(hits[image], 2 * struck) << image;
    }
}

TEST(TransientPlan, InstructionsAreDrawnUniformly)
{
    TransientPlanOptions options = map_options();
    options.rules = InstructionRules{};
    options.plan.limit = 20000;
    const TransientPlan plan(small_network(), options);
    std::vector<double> bits(32, 0);
    double upper = 0;
    double late = 0;
    for (std::uint64_t i = 0; i < 10000; ++i)
    {
        const auto fault = std::get<InstructionFault>(plan.strike(FaultIndex(i)).fault);
        ASSERT_LT(fault.element, 256U);
        ASSERT_LT(fault.step, 9U);
        bits.at(static_cast<std::size_t>(fault.bit)) += 1;
        upper += fault.element < 128 ? 1 : 0;
        late += fault.step >= 6 ? 1 : 0;
    }
    double chi_square = 0;
    for (const double seen : bits)
        chi_square += (seen - 312.5) * (seen - 312.5) / 312.5;
    EXPECT_LT(chi_square, 52.2);  // 1 % of 31 degrees of freedom
    EXPECT_NEAR(upper, 5000, 150);
    EXPECT_NEAR(late, 3333, 142);
}

TEST(TransientPlan, RefusesWhatCannotBe)
{
    TransientPlanOptions options = map_options();
    options.images_per_fault = 51;
    EXPECT_THROW(TransientPlan(small_network(), options), JobError);
    options = map_options();
    options.plan.scheme = Scheme::data_unaware;
    EXPECT_THROW(TransientPlan(small_network(), options), JobError);
    EXPECT_THROW(static_cast<void>(layer_weight_from("size")), JobError);
}

}  // namespace
}  // namespace flipstorm
