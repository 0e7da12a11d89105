#include <gtest/gtest.h>

#include "engine/evaluate/image_batches.hpp"
#include "engine/network/builders.hpp"

namespace flipstorm
{
namespace
{

/// 3×4×4 → 3×8×8 → 2 classes, or as large as asked for.
Graph small_graph(std::int64_t size, std::int64_t channels)
{
    Graph graph({3, size, size});
    const NodeId conv = graph.add("conv", Conv2dOp{3, channels, 3, 1, 1, 1, true}, {NodeId(0)});
    const NodeId relu = graph.add("relu", ReluOp{}, {conv});
    const NodeId flat = graph.add("flat", FlattenOp{}, {relu});
    graph.add("fc", LinearOp{channels * size * size, 2, true}, {flat});
    return graph;
}

TEST(ImagesWithin, TakesTheFirstSizeThatFits)
{
    EXPECT_EQ(images_within({50, 20, 10}, 100, 5000), 50);
    EXPECT_EQ(images_within({50, 20, 10}, 100, 4999), 20);
    EXPECT_EQ(images_within({50, 20, 10}, 100, 999), 1);
}

TEST(SpreadImages, AreFewerOfLargeNetworks)
{
    EXPECT_EQ(spread_images(small_graph(4, 5)), 50);
    // 3 · 64 · 224² + 3 · 224² + 2 = 9.8 million values: 10 of them are within 2^27, 20 are not.
    EXPECT_EQ(spread_images(small_graph(224, 64)), 10);
}

TEST(StartBytes, AreThoseCountedByHand)
{
    // Values of an image: input 48, conv, relu and flat 80 each, fc 2: 290; two of 80 live together.
    const Graph graph = small_graph(4, 5);
    ASSERT_EQ(all_elements(graph), 290);
    ASSERT_EQ(live_elements(graph, NodeId(0)), 160);
    // 10 images are one tile: (48 + 2 · 160) floats each, however many threads.
    EXPECT_EQ(start_bytes(graph, EvaluationMode::exact, 10, 4), 4U * 10 * (48 + 320));
    // 1,000 images are five tiles of 200, three at a time.
    EXPECT_EQ(start_bytes(graph, EvaluationMode::exact, 1000, 3), 4U * 3 * 200 * (48 + 320));
    // The scale of the channels takes the images, 50 at a time all values, and two doubles of the largest
    // node: 50 · 48 + 50 · (290 + 4 · 80) = 32,900 floats, more than the 50 · 368 of the golden pass; of 100
    // images it is 35,300, fewer than 36,800; and never of more than 1,000 images: 48,000 + 30,500, more than
    // 200 · 368.
    EXPECT_EQ(start_bytes(graph, EvaluationMode::screened, 50, 1), 4U * 32900);
    EXPECT_EQ(start_bytes(graph, EvaluationMode::screened, 100, 1), 4U * 36800);
    EXPECT_EQ(start_bytes(graph, EvaluationMode::screened, 100000, 1), 4U * 78500);
}

}  // namespace
}  // namespace flipstorm
