#include "analysis/split.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"

namespace flipstorm
{
namespace
{

std::vector<std::uint8_t> labels_of(std::size_t acceptable, std::size_t critical)
{
    std::vector<std::uint8_t> labels(acceptable, 0);
    labels.insert(labels.begin() + static_cast<std::ptrdiff_t>(acceptable / 2), critical, 1);
    return labels;
}

std::size_t critical_in(const std::vector<std::uint8_t>& labels, const std::vector<std::uint32_t>& rows)
{
    return static_cast<std::size_t>(
        std::count_if(rows.begin(), rows.end(), [&labels](std::uint32_t row) { return labels[row] == 1; }));
}

TEST(StratifiedSplit, HoldsOutTheShareOfEachClass)
{
    const auto labels = labels_of(900, 100);
    const TrainTest split = stratified_split(labels, 0.3, 1);
    EXPECT_EQ(split.test.size(), 300U);
    EXPECT_EQ(critical_in(labels, split.test), 30U);
    std::set<std::uint32_t> all(split.train.begin(), split.train.end());
    all.insert(split.test.begin(), split.test.end());
    EXPECT_EQ(all.size(), 1000U);
    EXPECT_EQ(stratified_split(labels, 0.3, 1).test, split.test);
    EXPECT_NE(stratified_split(labels, 0.3, 2).test, split.test);
}

TEST(StratifiedSplit, KeepsSmallClassesOnBothSides)
{
    const auto labels = labels_of(100, 2);
    for (const double share : {0.01, 0.3, 0.99})
    {
        const TrainTest split = stratified_split(labels, share, 4);
        EXPECT_EQ(critical_in(labels, split.test), 1U);
        EXPECT_EQ(critical_in(labels, split.train), 1U);
    }
    EXPECT_THROW(stratified_split(labels, 0.0, 1), JobError);
    EXPECT_THROW(stratified_split(labels, 1.0, 1), JobError);
}

TEST(StratifiedFolds, AreEven)
{
    const auto labels = labels_of(903, 57);
    const auto folds = stratified_folds(labels, 10, 1);
    for (std::int32_t fold = 0; fold < 10; ++fold)
    {
        const TrainTest split = fold_split(folds, fold);
        EXPECT_EQ(split.test.size(), 96U);
        EXPECT_NEAR(static_cast<double>(critical_in(labels, split.test)), 5.7, 1.0);
        EXPECT_EQ(split.train.size() + split.test.size(), labels.size());
    }
    EXPECT_THROW(stratified_folds(labels, 1, 1), JobError);
}

TEST(GroupedFolds, KeepCellsTogetherAndBalanceBothClasses)
{
    RandomStream random(9, RandomPurpose::test);
    std::vector<std::uint32_t> cell;
    std::vector<std::uint8_t> labels;
    for (int i = 0; i < 5000; ++i)
    {
        cell.push_back(static_cast<std::uint32_t>(random.below(700)));
        labels.push_back(cell.back() < 60 ? 1 : 0);
    }
    const auto folds = grouped_folds(cell, labels, 10, 1);
    std::map<std::uint32_t, std::int32_t> fold_of_cell;
    for (std::size_t row = 0; row < cell.size(); ++row)
    {
        const auto [entry, fresh] = fold_of_cell.emplace(cell[row], folds[row]);
        EXPECT_EQ(entry->second, folds[row]);
    }
    const auto critical = static_cast<double>(std::count(labels.begin(), labels.end(), std::uint8_t{1}));
    for (std::int32_t fold = 0; fold < 10; ++fold)
    {
        const TrainTest split = fold_split(folds, fold);
        EXPECT_NEAR(static_cast<double>(split.test.size()), 500.0, 10.0);
        EXPECT_NEAR(static_cast<double>(critical_in(labels, split.test)), critical / 10, 10.0);
    }
    EXPECT_EQ(grouped_folds(cell, labels, 10, 1), folds);
    EXPECT_NE(grouped_folds(cell, labels, 10, 2), folds);
}

}  // namespace
}  // namespace flipstorm
