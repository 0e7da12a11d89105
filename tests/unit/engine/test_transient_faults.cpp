// Faults in feature maps and in instructions, against cases by hand and a slow emulation written otherwise.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>

#include "engine/base/error.hpp"
#include "engine/faults/feature_map_fault.hpp"
#include "engine/faults/instruction_fault.hpp"

namespace flipstorm
{
namespace
{

std::vector<float> random_values(std::size_t count, std::uint64_t stream)
{
    RandomStream random(17, RandomPurpose::test, stream);
    std::vector<float> values(count);
    for (float& value : values)
        value = static_cast<float>(random.normal());
    return values;
}

TEST(FeatureMapFault, CorruptsExactlyItsRegion)
{
    const Shape shape{5, 6, 7};
    const std::vector<float> golden = random_values(210, 1);
    RandomStream random(2, RandomPurpose::test);
    for (const Geometry geometry :
         {Geometry::single, Geometry::line, Geometry::block, Geometry::channel, Geometry::random})
    {
        const FeatureMapRules rules{{geometry}, {0.5}, UniformError{3}, Combine::add};
        for (int k = 0; k < 20; ++k)
        {
            const FeatureMapFault fault = draw_feature_map_fault(rules, shape, 32, random);
            std::vector<float> faulty = golden;
            corrupt(fault, shape, faulty.data());
            const FaultRegion& region = fault.region;
            std::int64_t changed = 0;
            for (std::int64_t e = 0; e < 210; ++e)
            {
                const auto i = static_cast<std::size_t>(e);
                const auto is_in = [](const std::vector<std::int64_t>& list, std::int64_t value) {
                    return std::find(list.begin(), list.end(), value) != list.end();
                };
                const std::int64_t row = e / 7 % 6;
                const std::int64_t column = e % 7;
                const bool struck = is_in(region.channels, e / 42) &&
                                    (geometry == Geometry::random
                                         ? is_in(region.positions, e % 42)
                                         : row >= region.row_begin && row < region.row_end &&
                                               column >= region.column_begin && column < region.column_end);
                EXPECT_EQ(faulty[i], struck ? golden[i] + fault.value : golden[i]);
                changed += struck ? 1 : 0;
            }
            EXPECT_EQ(changed, region.size());
        }
    }
}

TEST(FeatureMapFault, CombinesErrorAndValue)
{
    EXPECT_EQ(corrupted(Combine::add, 2, 0.5F), 2.5F);
    EXPECT_EQ(corrupted(Combine::multiply, -2, 0.5F), -1.0F);
    EXPECT_EQ(corrupted(Combine::relative, -2, 0.5F), -3.0F);
    EXPECT_EQ(corrupted(Combine::relative, 2, -3), -4.0F);
    EXPECT_EQ(corrupted(Combine::relative, 0, 1e30F), 0.0F);
    // 2^-20 of relative error survives, where 1 + v in single precision would have rounded it away first.
    EXPECT_EQ(corrupted(Combine::relative, 1 << 20, 0x1p-20F), static_cast<float>((1 << 20) + 1));
    EXPECT_THROW(static_cast<void>(combine_from("xor")), JobError);
}

TEST(FeatureMapFault, FlipsABitOfOneElement)
{
    RandomStream random(3, RandomPurpose::test);
    const FeatureMapRules rules{{Geometry::element}, {1}, BitError{}, Combine::bit_flip};
    std::set<float> bits;
    for (int k = 0; k < 400; ++k)
    {
        const FeatureMapFault fault = draw_feature_map_fault(rules, {5, 6, 7}, 8, random);
        EXPECT_EQ(fault.region.size(), 1);
        bits.insert(fault.value);
    }
    EXPECT_EQ(bits, (std::set<float>{0, 1, 2, 3, 4, 5, 6, 7}));
    EXPECT_EQ(corrupted(Combine::bit_flip, 1.0F, 31), -1.0F);
    EXPECT_EQ(corrupted(Combine::bit_flip, 1.0F, 23), 0.5F);
}

TEST(FeatureMapFault, RelativeErrorsHaveBothSigns)
{
    RandomStream random(2, RandomPurpose::test);
    std::map<bool, int> signs;
    std::map<Geometry, int> geometries;
    const FeatureMapRules rules{
        {Geometry::line, Geometry::block}, {1, 1}, power_law("ffma_common"), Combine::relative};
    for (int i = 0; i < 1000; ++i)
    {
        const FeatureMapFault fault = draw_feature_map_fault(rules, {2, 3, 3}, 32, random);
        ++signs[fault.value < 0];
        ++geometries[fault.geometry];
        EXPECT_GE(std::abs(fault.value), 2.0F);
    }
    EXPECT_NEAR(signs[true], 500, 80);
    EXPECT_NEAR(geometries[Geometry::line], 500, 80);
}

Graph conv_graph(Shape input, Conv2dOp op)
{
    Graph graph(std::move(input));
    graph.add("conv", op, {NodeId(0)});
    return graph;
}

/// A dot product with a fault, as its definition reads: partial sums in an array, indices from scratch.
float emulate(const Conv2dOp& op, const Shape& in, const std::vector<float>& weight, const float* bias,
              const std::vector<float>& input, std::int64_t o, std::int64_t y, std::int64_t x,
              const InstructionFault* fault)
{
    const std::int64_t per_group = op.in_channels / op.groups;
    const std::int64_t first_channel = o / (op.out_channels / op.groups) * per_group;
    std::vector<float> sums{0.0F};
    for (std::int64_t j = 0; j < per_group * op.kernel * op.kernel; ++j)
    {
        const std::int64_t kw = j % op.kernel;
        const std::int64_t kh = j / op.kernel % op.kernel;
        const std::int64_t c = j / (op.kernel * op.kernel);
        const std::int64_t row = y * op.stride + kh - op.padding;
        const std::int64_t column = x * op.stride + kw - op.padding;
        float a = 0;
        if (row >= 0 && column >= 0 && row < in[1] && column < in[2])
            a = input.at(static_cast<std::size_t>(((first_channel + c) * in[1] + row) * in[2] + column));
        const float b =
            weight.at(static_cast<std::size_t>(((o * per_group + c) * op.kernel + kh) * op.kernel + kw));
        float next = std::fma(a, b, sums.back());
        if (fault != nullptr && fault->step == static_cast<std::uint64_t>(j))
        {
            if (fault->model == InstructionModel::bit_flip)
            {
                std::uint32_t word = 0;
                std::memcpy(&word, &next, 4);
                word =
                    (word & (1U << fault->bit)) != 0 ? word & ~(1U << fault->bit) : word | 1U << fault->bit;
                std::memcpy(&next, &word, 4);
            }
            else
                next = static_cast<float>(double{next} * (1.0 + double{fault->value}));
        }
        sums.push_back(next);
    }
    return bias != nullptr ? sums.back() + bias[o] : sums.back();
}

TEST(InstructionFault, ReplaysTheDotProductOfAConvolution)
{
    for (const Conv2dOp op : {Conv2dOp{6, 8, 3, 2, 1, 2, true}, Conv2dOp{3, 5, 2, 1, 0, 1, false},
                              Conv2dOp{4, 4, 3, 1, 2, 4, true}})
    {
        const Shape in{op.in_channels, 7, 6};
        const Graph graph = conv_graph(in, op);
        const DotProducts layer = dot_products(graph, NodeId(1));
        const Shape& out = graph.node(NodeId(1)).shape;
        const auto weight = random_values(
            static_cast<std::size_t>(op.out_channels * op.in_channels / op.groups * op.kernel * op.kernel),
            3);
        const auto bias = random_values(static_cast<std::size_t>(op.out_channels), 4);
        const float* const b = op.bias ? bias.data() : nullptr;
        const auto input = random_values(static_cast<std::size_t>(elements(in)), 5);
        std::vector<float> golden(static_cast<std::size_t>(elements(out)));
        const auto value_at = [&](std::int64_t e, const InstructionFault* fault) {
            return emulate(op, in, weight, b, input, e / (out[1] * out[2]), e / out[2] % out[1], e % out[2],
                           fault);
        };
        for (std::int64_t e = 0; e < elements(out); ++e)
            golden[static_cast<std::size_t>(e)] = value_at(e, nullptr);
        for (const InstructionModel model : {InstructionModel::bit_flip, InstructionModel::warp_random_value})
        {
            const InstructionRules rules{model, power_law("ffma_common")};
            const std::uint64_t count = instruction_count(layer, model);
            if (model == InstructionModel::bit_flip)
            {
                EXPECT_EQ(count, static_cast<std::uint64_t>(graph.macs(NodeId(1))));
            }
            RandomStream random(6, RandomPurpose::test);
            for (int k = 0; k < 200; ++k)
            {
                const InstructionFault fault =
                    draw_instruction_fault(rules, layer, random.below(count), random);
                std::vector<float> faulty = golden;
                corrupt(fault, layer, weight.data(), b, input.data(), faulty.data());
                const std::vector<std::int64_t> struck = struck_outputs(fault, layer);
                for (std::int64_t e = 0; e < elements(out); ++e)
                {
                    const auto i = static_cast<std::size_t>(e);
                    const bool hit = std::find(struck.begin(), struck.end(), e) != struck.end();
                    const float want = hit ? value_at(e, &fault) : golden[i];
                    EXPECT_TRUE(faulty[i] == want || (std::isnan(faulty[i]) && std::isnan(want)))
                        << "element " << e << ", bit " << fault.bit << ", step " << fault.step << ": "
                        << faulty[i] << " / " << want;
                }
            }
        }
    }
}

TEST(InstructionFault, ByHandOnALinearLayer)
{
    Graph graph({2, 1, 1});
    graph.add("flatten", FlattenOp{}, {NodeId(0)});
    graph.add("fc", LinearOp{2, 1, true}, {NodeId(1)});
    const DotProducts layer = dot_products(graph, NodeId(2));
    const std::vector<float> input{1, 3};
    const std::vector<float> weight{2, 4};
    const float bias = 0.5F;
    // s₁ = 2, s₂ = 14, y = 14.5. With the sign of s₁ flipped, y' = −2 + 12 + 0.5.
    InstructionFault fault{InstructionModel::bit_flip, 0, 0, 31, 0};
    const auto result = [&](float network) {
        corrupt(fault, layer, weight.data(), &bias, input.data(), &network);
        return network;
    };
    EXPECT_EQ(result(14.5F), 10.5F);
    fault.bit = 30;  // 2 = 0x40000000 → 0
    EXPECT_EQ(result(14.5F), 12.5F);
    fault.step = 1;
    fault.bit = 31;
    EXPECT_EQ(result(14.5F), -13.5F);
    // A network that has rounded otherwise keeps its own rounding: the change, -28, is added.
    EXPECT_EQ(result(14.25F), -13.75F);
    // s₁ · (1 − 1) = 0.
    fault = {InstructionModel::warp_random_value, 0, 0, -1, -1.0F};
    EXPECT_EQ(result(14.5F), 12.5F);
    // A relative error that rounding swallows changes nothing, whatever the network's own value.
    fault.value = 1e-9F;
    EXPECT_EQ(result(14.3F), 14.3F);
    fault.value = std::numeric_limits<float>::infinity();
    EXPECT_TRUE(std::isinf(result(14.5F)));
}

TEST(InstructionFault, WarpsCoverEveryOutputOnce)
{
    for (const auto& [rows, size] :
         std::vector<std::pair<std::int64_t, std::int64_t>>{{64, 8}, {6, 5}, {33, 4}, {36, 1}, {10, 7}})
    {
        for (const std::int64_t groups : {1, 2})
        {
            const Graph graph =
                conv_graph({2 * groups, size, size}, {2 * groups, rows * groups, 1, 1, 0, groups, true});
            const DotProducts layer = dot_products(graph, NodeId(1));
            const std::uint64_t count = instruction_count(layer, InstructionModel::warp_random_value);
            ASSERT_EQ(count % 2, 0U);  // K = 2
            RandomStream random(1, RandomPurpose::test);
            std::set<std::int64_t> seen;
            for (std::uint64_t instruction = 0; instruction < count; ++instruction)
            {
                const InstructionFault fault = draw_instruction_fault(
                    {InstructionModel::warp_random_value, UniformError{1}}, layer, instruction, random);
                EXPECT_EQ(fault.step, instruction % 2);
                const std::vector<std::int64_t> struck = struck_outputs(fault, layer);
                ASSERT_EQ(static_cast<std::uint64_t>(struck.front()), fault.element);
                ASSERT_LE(struck.size(), 32U);
                if (rows == 64)
                {
                    EXPECT_EQ(struck.size(), 32U);
                }
                const std::int64_t columns = size * size;
                for (const std::int64_t e : struck)
                {
                    // At stride 4 from the first, in the same group and the same 32 × 16 tile.
                    const std::int64_t down = e / columns - struck.front() / columns;
                    const std::int64_t right = e % columns - struck.front() % columns;
                    EXPECT_TRUE(down % 4 == 0 && down < 32 && right % 4 == 0 && right >= 0 && right < 16);
                    EXPECT_EQ(e / columns / rows, struck.front() / columns / rows);
                    if (fault.step == 0)
                    {
                        EXPECT_TRUE(seen.insert(e).second) << e;
                    }
                }
            }
            EXPECT_EQ(seen.size(), static_cast<std::size_t>(rows * groups * size * size));
        }
    }
}

TEST(InstructionFault, RefusesWhatIsNotThere)
{
    const Graph graph = conv_graph({1, 4, 4}, {1, 1, 3, 1, 1, 1, true});
    const DotProducts layer = dot_products(graph, NodeId(1));
    RandomStream random(1, RandomPurpose::test);
    EXPECT_THROW(static_cast<void>(draw_instruction_fault({}, layer, 16 * 9, random)), Error);
    EXPECT_THROW(static_cast<void>(dot_products(graph, NodeId(0))), Error);
    EXPECT_THROW(static_cast<void>(instruction_model_from("stuck_at")), JobError);
}

}  // namespace
}  // namespace flipstorm
