#include "analysis/tree.hpp"

#include <gtest/gtest.h>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

Sample sample(std::vector<std::uint16_t> codes, std::uint32_t acceptable, std::uint32_t critical)
{
    Sample s;
    std::copy(codes.begin(), codes.end(), s.code.begin());
    s.weight = {acceptable, critical};
    return s;
}

RandomStream stream(std::uint64_t number = 0)
{
    return RandomStream(1, RandomPurpose::test, number);
}

TEST(Tree, SplitsAsComputedByHand)
{
    // Root (4, 3). At 0.5: 0 + 4 (1 - 10/16) = 1.5; at 1.5: 5 (1 - 17/25) + 0 = 1.6. Then (1, 3) at 1.5.
    const Tree tree =
        grow_tree({sample({0}, 3, 0), sample({1}, 1, 1), sample({2}, 0, 2)}, {{0, 1, 2}}, 1, stream());
    ASSERT_EQ(tree.nodes.size(), 5U);
    const TreeNode& root = tree.nodes[0];
    EXPECT_EQ(root.feature, 0);
    EXPECT_EQ(root.threshold, 0.5F);
    EXPECT_FLOAT_EQ(root.probability, 3.0F / 7.0F);
    const TreeNode& left = tree.nodes[static_cast<std::size_t>(root.left)];
    EXPECT_TRUE(left.is_leaf());
    EXPECT_EQ(left.probability, 0.0F);
    const TreeNode& right = tree.nodes[static_cast<std::size_t>(root.right)];
    EXPECT_EQ(right.threshold, 1.5F);
    EXPECT_EQ(right.probability, 0.75F);
    EXPECT_EQ(tree.nodes[static_cast<std::size_t>(right.left)].probability, 0.5F);
    EXPECT_EQ(tree.nodes[static_cast<std::size_t>(right.right)].probability, 1.0F);
}

TEST(Tree, ThresholdIsTheMidpointOfValuesPresentInTheNode)
{
    const Tree tree = grow_tree({sample({0}, 1, 0), sample({3}, 0, 1)}, {{0, 1, 2, 10}}, 1, stream());
    EXPECT_EQ(tree.nodes[0].threshold, 5.0F);
}

TEST(Tree, ImportanceAsComputedByHand)
{
    // Root (6, 4): 4.8. Feature 0 leaves 1.6, feature 1 2.67. Below, feature 1 leaves 0.
    const Tree tree =
        grow_tree({sample({0, 0}, 3, 0), sample({0, 1}, 2, 0), sample({1, 0}, 1, 0), sample({1, 1}, 0, 4)},
                  {{0, 1}, {0, 1}}, 2, stream());
    ASSERT_EQ(tree.nodes[0].feature, 0);
    EXPECT_NEAR(tree.importance[0], 3.2 / 4.8, 1e-12);
    EXPECT_NEAR(tree.importance[1], 1.6 / 4.8, 1e-12);
}

TEST(Tree, LooksOnUntilAFeatureThatVaries)
{
    const std::vector<std::vector<float>> bins{{0}, {0}, {0}, {0, 1}, {0}};
    for (std::uint64_t i = 0; i < 50; ++i)
    {
        const Tree tree =
            grow_tree({sample({0, 0, 0, 0, 0}, 1, 0), sample({0, 0, 0, 1, 0}, 0, 1)}, bins, 1, stream(i));
        ASSERT_EQ(tree.nodes.size(), 3U);
        EXPECT_EQ(tree.nodes[0].feature, 3);
    }
}

TEST(Tree, TriesEachFeatureEquallyOften)
{
    // Feature f parts the classes equally well, so the first visited wins.
    std::vector<int> won(4, 0);
    const std::vector<std::vector<float>> bins(4, {0, 1});
    constexpr int kTrees = 4000;
    for (std::uint64_t i = 0; i < kTrees; ++i)
    {
        const Tree tree =
            grow_tree({sample({0, 0, 0, 0}, 1, 0), sample({1, 1, 1, 1}, 0, 1)}, bins, 2, stream(i));
        ++won[static_cast<std::size_t>(tree.nodes[0].feature)];
    }
    for (const int count : won)
        EXPECT_NEAR(count, kTrees / 4, 5 * 27);  // five standard deviations
}

TEST(Tree, StopsWhereNothingCanBeSplit)
{
    EXPECT_EQ(grow_tree({sample({0}, 3, 2)}, {{0}}, 1, stream()).nodes.size(), 1U);
    EXPECT_EQ(grow_tree({sample({0}, 3, 0), sample({1}, 2, 0)}, {{0, 1}}, 1, stream()).nodes.size(), 1U);
    EXPECT_THROW(grow_tree({}, {{0}}, 1, stream()), Error);
}

TEST(Tree, SortingAndHistogramGiveTheSameSplits)
{
    // 30 cells over codes up to 59 are counted by histogram, the same cells over codes up to 5,900 by
    // sorting.
    std::vector<float> near_values;
    std::vector<float> far_values(5901);
    for (int v = 0; v < 60; ++v)
        near_values.push_back(static_cast<float>(v));
    for (std::size_t v = 0; v < far_values.size(); ++v)
        far_values[v] = static_cast<float>(v) / 100.0F;
    std::vector<Sample> near;
    std::vector<Sample> far;
    RandomStream random = stream();
    for (std::uint16_t i = 0; i < 30; ++i)
    {
        const auto a = static_cast<std::uint32_t>(random.below(4));
        const auto c = static_cast<std::uint32_t>(1 + random.below(4));
        near.push_back(sample({static_cast<std::uint16_t>(2 * i)}, a, c));
        far.push_back(sample({static_cast<std::uint16_t>(200 * i)}, a, c));
    }
    const Tree by_histogram = grow_tree(near, {near_values}, 1, stream());
    const Tree by_sorting = grow_tree(far, {far_values}, 1, stream());
    ASSERT_EQ(by_histogram.nodes.size(), by_sorting.nodes.size());
    for (std::size_t i = 0; i < by_histogram.nodes.size(); ++i)
    {
        EXPECT_EQ(by_histogram.nodes[i].threshold, by_sorting.nodes[i].threshold);
        EXPECT_EQ(by_histogram.nodes[i].probability, by_sorting.nodes[i].probability);
    }
}

TEST(Tree, StopsBetweenNodes)
{
    // 2^12 cells, neighbours of different classes: about as many nodes.
    std::vector<Sample> samples;
    std::vector<float> values;
    for (std::uint16_t code = 0; code < 1 << 12; ++code)
    {
        samples.push_back(sample({code}, code % 2 == 0 ? 1 : 0, code % 2));
        values.push_back(code);
    }
    int asked = 0;
    EXPECT_NO_THROW(grow_tree(samples, {values}, 1, stream(), [&asked] { return ++asked < 0; }));
    EXPECT_GT(asked, 2);
    asked = 0;
    EXPECT_THROW(grow_tree(samples, {values}, 1, stream(), [&asked] { return ++asked == 2; }), Stopped);
    EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace flipstorm
