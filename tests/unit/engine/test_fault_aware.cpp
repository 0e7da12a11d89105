// Which faults a fault-aware training meets.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/base/error.hpp"
#include "engine/network/builders.hpp"
#include "engine/train/fault_aware.hpp"

namespace flipstorm
{
namespace
{

Graph lenet()
{
    return build_network("lenet5", {1, 28, 28}, 10, {{0}, {1}}, 1).graph;
}

FaultAwareOptions options_of(FaultRule rule)
{
    FaultAwareOptions options;
    options.rule = rule;
    return options;
}

TEST(FaultAware, StrikesConvolutionsAndLinearLayersEquallyOften)
{
    const Graph graph = lenet();
    ASSERT_EQ(fault_sites(graph).size(), 5U);
    std::map<std::string, int> struck;
    constexpr int kSteps = 10000;
    for (int step = 0; step < kSteps; ++step)
        ++struck[graph.node(draw_training_fault(options_of(FaultRule::paper), graph, 1, step, 1, 8).node)
                     .name];
    ASSERT_EQ(struck.size(), 5U);
    for (const auto& [name, count] : struck)
        EXPECT_NEAR(count, kSteps / 5.0, 160) << name;  // four standard deviations
}

TEST(FaultAware, StrikesTheShareOfTheImages)
{
    const Graph graph = lenet();
    std::map<std::int64_t, int> struck;
    for (int step = 0; step < 4000; ++step)
    {
        const TrainingFault fault = draw_training_fault(options_of(FaultRule::paper), graph, 1, step, 1, 10);
        ASSERT_EQ(fault.images.size(), 8U);  // 7.5, rounded
        ASSERT_TRUE(std::is_sorted(fault.images.begin(), fault.images.end()));
        for (const std::int64_t image : fault.images)
            ++struck[image];
    }
    ASSERT_EQ(struck.size(), 10U);
    for (const auto& [image, count] : struck)
        EXPECT_NEAR(count, 3200, 110) << image;
    EXPECT_EQ(draw_training_fault(options_of(FaultRule::paper), graph, 1, 0, 1, 128).images.size(), 96U);
    FaultAwareOptions none = options_of(FaultRule::paper);
    none.image_share = 0;
    EXPECT_TRUE(draw_training_fault(none, graph, 1, 0, 1, 128).images.empty());
}

TEST(FaultAware, MagnitudesAreThoseOfTheRule)
{
    const Graph graph = lenet();
    constexpr int kSteps = 4000;
    double paper = 0;
    double code = 0;
    int positive = 0;
    for (int step = 0; step < kSteps; ++step)
    {
        // Uniform on [0, epoch], either sign.
        const TrainingFault added = draw_training_fault(options_of(FaultRule::paper), graph, 1, step, 40, 8);
        EXPECT_EQ(added.factor, 1.0);
        EXPECT_LE(std::abs(added.shift), 40.0);
        paper += std::abs(added.shift);
        positive += added.shift > 0 ? 1 : 0;
        // Uniform on ±[0, 1), whatever the epoch.
        const TrainingFault multiplied =
            draw_training_fault(options_of(FaultRule::diehardnet), graph, 1, step, 40, 8);
        EXPECT_EQ(multiplied.shift, 0.0);
        EXPECT_LT(std::abs(multiplied.factor), 1.0);
        code += std::abs(multiplied.factor);
    }
    EXPECT_NEAR(paper / kSteps, 20, 0.8);  // standard error 0.18
    EXPECT_NEAR(code / kSteps, 0.5, 0.02);
    EXPECT_NEAR(positive, kSteps / 2.0, 130);
    FaultAwareOptions small = options_of(FaultRule::paper);
    small.magnitude = 0.01;
    EXPECT_LE(std::abs(draw_training_fault(small, graph, 1, 0, 40, 8).shift), 0.4);
}

TEST(FaultAware, IsAFunctionOfSeedAndStep)
{
    const Graph graph = lenet();
    const auto draw = [&](std::uint64_t seed, std::int64_t step) {
        return draw_training_fault(options_of(FaultRule::paper), graph, seed, step, 1, 64);
    };
    EXPECT_EQ(draw(1, 5).shift, draw(1, 5).shift);
    EXPECT_EQ(draw(1, 5).images, draw(1, 5).images);
    EXPECT_NE(draw(1, 5).shift, draw(1, 6).shift);
    EXPECT_NE(draw(1, 5).shift, draw(2, 5).shift);
    EXPECT_THROW(draw_training_fault(FaultAwareOptions{}, graph, 1, 0, 1, 8), Error);
    EXPECT_EQ(fault_rule_from("diehardnet"), FaultRule::diehardnet);
    EXPECT_THROW(static_cast<void>(fault_rule_from("diehard")), JobError);
}

}  // namespace
}  // namespace flipstorm
