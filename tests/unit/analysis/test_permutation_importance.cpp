#include "analysis/permutation_importance.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "engine/base/philox.hpp"

namespace flipstorm
{
namespace
{

TEST(PermutationImportance, IsTheLossOfTheFeatureThatMatters)
{
    // A forest of one tree that asks feature 1 alone, and is always right.
    RandomStream random(3, RandomPurpose::test);
    std::vector<std::vector<float>> columns(3);
    std::vector<std::uint8_t> labels;
    for (int i = 0; i < 30000; ++i)
    {
        for (std::vector<float>& column : columns)
            column.push_back(static_cast<float>(random.below(10)));
        labels.push_back(columns[1].back() >= 8 ? 1 : 0);
    }
    const FeatureTable table = make_feature_table({"a", "b", "c"}, columns);
    const TreesRecord tree{{0, 3}, {1, -1, -1}, {7.5F, 0, 0}, {1, -1, -1}, {2, -1, -1}, {0.2F, 0, 1}};
    const Forest forest = Forest::from_record(tree, 3);
    std::vector<std::uint32_t> rows(labels.size());
    std::iota(rows.begin(), rows.end(), 0U);
    const std::vector<double> losses = permutation_importance(forest, table, labels, rows, 7, 1);
    ASSERT_EQ(losses.size(), 3 * kPermutations);
    for (std::size_t repeat = 0; repeat < kPermutations; ++repeat)
    {
        EXPECT_EQ(losses[repeat], 0);
        EXPECT_EQ(losses[2 * kPermutations + repeat], 0);
        // Shuffled, its answer has nothing to do with the class: an area of 1/2.
        EXPECT_NEAR(losses[kPermutations + repeat], 0.5, 0.03);
    }
    EXPECT_NE(losses[kPermutations], losses[kPermutations + 1]);
    EXPECT_EQ(losses, permutation_importance(forest, table, labels, rows, 7, 3));
    EXPECT_NE(losses, permutation_importance(forest, table, labels, rows, 8, 1));
    EXPECT_THROW(permutation_importance(forest, table, labels, rows, 7, 1, [] { return true; }), Stopped);
}

}  // namespace
}  // namespace flipstorm
