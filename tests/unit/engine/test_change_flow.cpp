#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/network/change_flow.hpp"

namespace flipstorm
{
namespace
{

constexpr Extent kNone = Extent::none;
constexpr Extent kChannel = Extent::channel;
constexpr Extent kAll = Extent::everything;

std::vector<NodeId> ids(const std::vector<std::int32_t>& numbers)
{
    return {numbers.begin(), numbers.end()};
}

std::vector<std::int32_t> numbers_of(const std::vector<NodeId>& nodes)
{
    std::vector<std::int32_t> numbers;
    for (const NodeId id : nodes)
        numbers.push_back(id.value());
    return numbers;
}

using Numbers = std::vector<std::int32_t>;

/// input → 1 stem → 2 relu → [3 conv → 4 norm → 5 relu → 6 conv → 7 norm] + 2 = 8 → 9 relu → 10 mean →
/// 11 flatten → 12 linear
Graph residual_block()
{
    Graph graph({2, 4, 4});
    graph.add("stem", Conv2dOp{2, 4, 3, 1, 1, 1, false}, ids({0}));
    graph.add("relu0", ReluOp{}, ids({1}));
    graph.add("conv1", Conv2dOp{4, 4, 3, 1, 1, 1, false}, ids({2}));
    graph.add("bn1", BatchNormOp{4}, ids({3}));
    graph.add("relu1", Relu6Op{}, ids({4}));
    graph.add("conv2", Conv2dOp{4, 4, 3, 1, 1, 1, false}, ids({5}));
    graph.add("bn2", BatchNormOp{4}, ids({6}));
    graph.add("sum", AddOp{}, ids({7, 2}));
    graph.add("relu2", ReluOp{}, ids({8}));
    graph.add("mean", GlobalAvgPoolOp{}, ids({9}));
    graph.add("flatten", FlattenOp{}, ids({10}));
    graph.add("linear", LinearOp{4, 3, true}, ids({11}));
    return graph;
}

TEST(ChangeFlow, OfALayerBeforeAResidualBlock)
{
    const ChangeFlow flow = change_flow(residual_block(), NodeId(1));
    EXPECT_EQ(flow.extent, (std::vector<Extent>{kNone, kChannel, kChannel, kAll, kAll, kAll, kAll, kAll, kAll,
                                                kAll, kAll, kAll, kAll}));
    EXPECT_EQ(numbers_of(flow.nodes), (Numbers{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
    // Around 3 … 7 the change also goes by the shortcut.
    EXPECT_EQ(flow.cut, (std::vector<bool>{false, true, true, false, false, false, false, false, true, true,
                                           true, true, true}));
    // Behind the first ReLU, where the change parts; behind the mean, before the linear layer.
    EXPECT_EQ(numbers_of(flow.checkpoints), (Numbers{2, 10}));
}

TEST(ChangeFlow, OfALayerWithinAResidualBlock)
{
    const ChangeFlow first = change_flow(residual_block(), NodeId(3));
    EXPECT_EQ(first.extent, (std::vector<Extent>{kNone, kNone, kNone, kChannel, kChannel, kChannel, kAll,
                                                 kAll, kAll, kAll, kAll, kAll, kAll}));
    EXPECT_EQ(first.cut, (std::vector<bool>{false, false, false, true, true, true, true, true, true, true,
                                            true, true, true}));
    EXPECT_EQ(numbers_of(first.checkpoints), (Numbers{5, 10}));
    // The shortcut does not change: one channel of the sum does.
    const ChangeFlow second = change_flow(residual_block(), NodeId(6));
    EXPECT_EQ(second.extent, (std::vector<Extent>{kNone, kNone, kNone, kNone, kNone, kNone, kChannel,
                                                  kChannel, kChannel, kChannel, kChannel, kChannel, kAll}));
    EXPECT_EQ(numbers_of(second.nodes), (Numbers{7, 8, 9, 10, 11, 12}));
    EXPECT_EQ(numbers_of(second.checkpoints), (Numbers{10}));
    EXPECT_EQ(second.shift, std::vector<std::int64_t>(13, 0));
}

TEST(ChangeFlow, OfTheLastLayer)
{
    const ChangeFlow flow = change_flow(residual_block(), NodeId(12));
    EXPECT_EQ(flow.extent[12], kChannel);
    EXPECT_TRUE(flow.cut[12]);
    EXPECT_TRUE(flow.nodes.empty());
    EXPECT_TRUE(flow.checkpoints.empty());
}

// Every second row and column, two channels of zeros before and behind, plus a convolution.
TEST(ChangeFlow, PaddedChannelsMoveTheChange)
{
    Graph graph({2, 4, 4});
    graph.add("stem", Conv2dOp{2, 4, 3, 1, 1, 1, false}, ids({0}));
    graph.add("relu0", ReluOp{}, ids({1}));
    graph.add("rows", SliceOp{1, 0, 4, 2}, ids({2}));
    graph.add("columns", SliceOp{2, 0, 4, 2}, ids({3}));
    graph.add("pad", PadOp{2, 2, 0, 0, 0, 0}, ids({4}));
    graph.add("body", Conv2dOp{4, 8, 3, 2, 1, 1, false}, ids({2}));
    graph.add("sum", AddOp{}, ids({6, 5}));
    graph.add("flatten", FlattenOp{}, ids({7}));
    graph.add("linear", LinearOp{32, 3, true}, ids({8}));
    const ChangeFlow stem = change_flow(graph, NodeId(1));
    EXPECT_EQ(stem.extent, (std::vector<Extent>{kNone, kChannel, kChannel, kChannel, kChannel, kChannel, kAll,
                                                kAll, kAll, kAll}));
    EXPECT_EQ(stem.shift, (std::vector<std::int64_t>{0, 0, 0, 0, 0, 2, 0, 0, 0, 0}));
    EXPECT_EQ(numbers_of(stem.checkpoints), (Numbers{2}));
    const ChangeFlow body = change_flow(graph, NodeId(6));
    EXPECT_EQ(body.extent, (std::vector<Extent>{kNone, kNone, kNone, kNone, kNone, kNone, kChannel, kChannel,
                                                kChannel, kAll}));
    EXPECT_TRUE(body.checkpoints.empty()) << "nothing non-linear follows";
}

TEST(ChangeFlow, ConcatenationsSlicesAndSums)
{
    Graph graph({3, 4, 4});
    graph.add("a", Conv2dOp{3, 5, 1, 1, 0, 1, false}, ids({0}));  // 1
    graph.add("joined", ConcatOp{}, ids({0, 1}));                 // 2: 3 + 5 channels
    graph.add("before", PadOp{1, 0, 0, 0, 0, 0}, ids({2}));       // 3
    graph.add("behind", PadOp{0, 1, 0, 0, 0, 0}, ids({2}));       // 4
    graph.add("apart", AddOp{}, ids({3, 4}));                     // 5: two channels change
    graph.add("together", AddOp{}, ids({3, 3}));                  // 6
    graph.add("some", SliceOp{0, 0, 6, 1}, ids({6}));             // 7: perhaps nothing
    graph.add("twice", ConcatOp{}, ids({2, 2}));                  // 8: two channels change
    graph.add("all", ConcatOp{}, ids({5, 6, 7, 8}));              // 9
    const ChangeFlow flow = change_flow(graph, NodeId(1));
    EXPECT_EQ(flow.extent, (std::vector<Extent>{kNone, kChannel, kChannel, kChannel, kChannel, kAll, kChannel,
                                                kAll, kAll, kAll}));
    EXPECT_EQ(flow.shift, (std::vector<std::int64_t>{0, 0, 3, 4, 3, 0, 4, 0, 0, 0}));
    EXPECT_EQ(flow.cut,
              (std::vector<bool>{false, true, true, false, false, false, false, false, false, true}));
}

TEST(ChangeFlow, ConsumersOfEachNode)
{
    const std::vector<std::vector<NodeId>> consumers = consumers_of(residual_block());
    EXPECT_EQ(numbers_of(consumers[0]), (Numbers{1}));
    EXPECT_EQ(numbers_of(consumers[2]), (Numbers{3, 8}));
    EXPECT_EQ(numbers_of(consumers[8]), (Numbers{9}));
    EXPECT_TRUE(consumers[12].empty());
}

}  // namespace
}  // namespace flipstorm
