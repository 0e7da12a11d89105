#include "analysis/forest.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"

namespace flipstorm
{
namespace
{

struct Problem
{
    FeatureTable table;
    std::vector<std::uint8_t> labels;
    std::vector<std::uint32_t> rows;
};

/// Rows of five features; critical with a probability that depends on two of them.
Problem make_problem(std::size_t count, double noise, std::uint64_t seed = 3)
{
    RandomStream random(seed, RandomPurpose::test);
    std::vector<std::vector<float>> columns(5);
    Problem problem;
    for (std::size_t i = 0; i < count; ++i)
    {
        const std::uint64_t values[5] = {random.below(2), random.below(32), random.below(5), random.below(40),
                                         random.below(20)};
        for (std::size_t f = 0; f < 5; ++f)
            columns[f].push_back(static_cast<float>(values[f]));
        const bool truth = values[1] == 30 || (values[1] == 29 && values[0] == 1);
        problem.labels.push_back((random.uniform() < noise ? !truth : truth) ? 1 : 0);
    }
    problem.table = make_feature_table({"a", "b", "c", "d", "e"}, columns);
    problem.rows.resize(count);
    std::iota(problem.rows.begin(), problem.rows.end(), 0U);
    return problem;
}

ForestSettings settings(Bag bag, int threads = 1)
{
    ForestSettings s;
    s.bag = bag;
    s.trees = 20;
    s.seed = 5;
    s.threads = threads;
    return s;
}

std::vector<std::uint32_t> all_cells(const FeatureTable& table)
{
    std::vector<std::uint32_t> cells(table.cells());
    std::iota(cells.begin(), cells.end(), 0U);
    return cells;
}

bool same_trees(const TreesRecord& a, const TreesRecord& b)
{
    return a.first_node == b.first_node && a.feature == b.feature && a.threshold == b.threshold &&
           a.left == b.left && a.right == b.right && a.probability == b.probability;
}

constexpr Bag kBags[] = {Bag::all, Bag::bootstrap, Bag::undersample_bootstrap, Bag::stratified_bootstrap};

TEST(Forest, DoesNotDependOnTheNumberOfThreads)
{
    const Problem problem = make_problem(3000, 0.02);
    for (const Bag bag : kBags)
    {
        const Forest one = Forest::train(problem.table, problem.labels, problem.rows, settings(bag, 1));
        const Forest three = Forest::train(problem.table, problem.labels, problem.rows, settings(bag, 3));
        EXPECT_TRUE(same_trees(one.record(), three.record()));
        EXPECT_EQ(one.importance(), three.importance());
        const auto cells = all_cells(problem.table);
        EXPECT_EQ(one.predict(problem.table, cells, 1), one.predict(problem.table, cells, 3));
    }
}

TEST(Forest, SurvivesTheRoundTripThroughItsRecord)
{
    const Problem problem = make_problem(2000, 0.02);
    const Forest forest =
        Forest::train(problem.table, problem.labels, problem.rows, settings(Bag::bootstrap));
    const TreesRecord record = forest.record();
    const Forest again = Forest::from_record(record, 5);
    EXPECT_TRUE(same_trees(record, again.record()));
    const auto cells = all_cells(problem.table);
    EXPECT_EQ(forest.predict(problem.table, cells, 1), again.predict(problem.table, cells, 1));
}

TEST(Forest, RefusesRecordsThatAreNoTrees)
{
    const TreesRecord good{{0, 3}, {0, -1, -1}, {0.5F, 0, 0}, {1, -1, -1}, {2, -1, -1}, {0.5F, 0, 1}};
    EXPECT_NO_THROW(Forest::from_record(good, 1));
    const auto refused = [&good](const auto& spoil) {
        TreesRecord record = good;
        spoil(record);
        EXPECT_THROW(Forest::from_record(record, 1), DataError);
    };
    refused([](TreesRecord& r) { r.first_node = {0}; });
    refused([](TreesRecord& r) { r.first_node = {0, 0, 3}; });
    refused([](TreesRecord& r) { r.left[0] = 0; });
    refused([](TreesRecord& r) { r.right[0] = 3; });
    refused([](TreesRecord& r) { r.feature[0] = 1; });
    refused([](TreesRecord& r) { r.probability[1] = 1.5F; });
    refused([](TreesRecord& r) { r.threshold.pop_back(); });
}

TEST(Forest, WithAllRowsAndFeaturesFitsItsRowsExactly)
{
    const Problem problem = make_problem(2000, 0.1);
    ForestSettings one = settings(Bag::all);
    one.trees = 1;
    one.max_features = 5;
    const Forest forest = Forest::train(problem.table, problem.labels, problem.rows, one);
    std::vector<double> rows(problem.table.cells(), 0);
    std::vector<double> critical(problem.table.cells(), 0);
    for (std::size_t row = 0; row < problem.labels.size(); ++row)
    {
        ++rows[problem.table.cell[row]];
        critical[problem.table.cell[row]] += problem.labels[row];
    }
    const std::vector<double> p = forest.predict(problem.table, all_cells(problem.table), 1);
    for (std::size_t c = 0; c < p.size(); ++c)
        EXPECT_NEAR(p[c], critical[c] / rows[c], 1e-7);
}

TEST(Forest, RowsAndCellsArePredictedAlike)
{
    const Problem problem = make_problem(2000, 0.05);
    const Forest forest =
        Forest::train(problem.table, problem.labels, problem.rows, settings(Bag::bootstrap));
    std::vector<float> values;
    for (std::size_t c = 0; c < problem.table.cells(); ++c)
    {
        for (std::size_t f = 0; f < 5; ++f)
            values.push_back(problem.table.value(c, f));
    }
    EXPECT_EQ(forest.predict(values, 2), forest.predict(problem.table, all_cells(problem.table), 1));
    EXPECT_THROW((void)forest.predict(std::vector<float>(7), 1), DataError);
}

TEST(Forest, BalancedBagsHoldAsManyRowsOfEachClassAsTheMinority)
{
    // The root's share of critical weight: exactly one half if stratified, one half on average if
    // bootstrapped.
    const Problem problem = make_problem(5000, 0.0);
    const auto roots = [&problem](Bag bag) {
        ForestSettings many = settings(bag);
        many.trees = 200;
        const Forest forest = Forest::train(problem.table, problem.labels, problem.rows, many);
        std::vector<double> shares;
        for (std::size_t t = 0; t < forest.trees(); ++t)
            shares.push_back(forest.root(t)->probability);
        return shares;
    };
    for (const double share : roots(Bag::stratified_bootstrap))
        EXPECT_EQ(share, 0.5);
    const std::vector<double> shares = roots(Bag::undersample_bootstrap);
    // 2 n_min rows, about 470: a standard deviation of 0.023 a tree, 0.0016 of the mean.
    EXPECT_NEAR(std::accumulate(shares.begin(), shares.end(), 0.0) / 200, 0.5, 0.008);
}

TEST(Forest, StreamsAndSeedsMakeOtherForests)
{
    const Problem problem = make_problem(2000, 0.05);
    ForestSettings s = settings(Bag::bootstrap);
    const TreesRecord first = Forest::train(problem.table, problem.labels, problem.rows, s).record();
    s.stream = 1;
    EXPECT_FALSE(same_trees(first, Forest::train(problem.table, problem.labels, problem.rows, s).record()));
    s.stream = 0;
    s.seed = 6;
    EXPECT_FALSE(same_trees(first, Forest::train(problem.table, problem.labels, problem.rows, s).record()));
}

TEST(Forest, FindsTheFeaturesThatMatter)
{
    const Problem problem = make_problem(5000, 0.0);
    const Forest forest =
        Forest::train(problem.table, problem.labels, problem.rows, settings(Bag::bootstrap));
    EXPECT_NEAR(std::accumulate(forest.importance().begin(), forest.importance().end(), 0.0), 1.0, 1e-12);
    EXPECT_GT(forest.importance()[1], 0.5);
}

TEST(Forest, RefusesWhatCannotBeTrained)
{
    const Problem problem = make_problem(100, 0.0);
    const std::vector<std::uint8_t> none(100, 0);
    EXPECT_THROW(Forest::train(problem.table, none, problem.rows, settings(Bag::undersample_bootstrap)),
                 DataError);
    EXPECT_THROW(Forest::train(problem.table, problem.labels, {}, settings(Bag::bootstrap)), DataError);
    ForestSettings no_trees = settings(Bag::bootstrap);
    no_trees.trees = 0;
    EXPECT_THROW(Forest::train(problem.table, problem.labels, problem.rows, no_trees), JobError);
    EXPECT_THROW(bag_of("gbdt", ""), JobError);
    EXPECT_THROW(bag_of("brf", "bootstrap"), JobError);
    EXPECT_EQ(bag_of("rf", ""), Bag::bootstrap);
}

}  // namespace
}  // namespace flipstorm
