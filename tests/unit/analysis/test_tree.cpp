#include "analysis/tree.hpp"

#include <gtest/gtest.h>

#include <array>
#include <iterator>
#include <set>
#include <utility>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// A cell: codes of its features, weights of its classes.
struct Cell
{
    std::vector<std::size_t> codes;
    std::uint32_t acceptable;
    std::uint32_t critical;
};

Cell sample(std::vector<std::size_t> codes, std::uint32_t acceptable, std::uint32_t critical)
{
    return {std::move(codes), acceptable, critical};
}

using Bins = std::vector<std::vector<float>>;

/// A tree on cells whose keys have `Words` words.
template<std::size_t Words>
Tree grow_of(const std::vector<Cell>& cells, const Bins& bins, std::size_t max_features, RandomStream random,
             const StopRequest& stop)
{
    std::vector<std::size_t> codes;
    for (const std::vector<float>& values : bins)
        codes.push_back(values.size());
    const KeyLayout layout(codes);
    std::vector<Sample<Words>> samples;
    for (const Cell& cell : cells)
    {
        Sample<Words> one;
        for (std::size_t f = 0; f < bins.size(); ++f)
        {
            const PackedField& field = layout.field(f);
            one.key.at(field.word) |= std::uint64_t{cell.codes[f]} << field.shift;
        }
        one.weight = class_weight(cell.acceptable, cell.critical);
        samples.push_back(one);
    }
    return grow_tree(std::move(samples), layout, bins, max_features, random, stop);
}

Tree grow_tree(const std::vector<Cell>& cells, const Bins& bins, std::size_t max_features,
               RandomStream random, const StopRequest& stop = {})
{
    return grow_of<1>(cells, bins, max_features, random, stop);
}

RandomStream stream(std::uint64_t number = 0)
{
    return RandomStream(1, RandomPurpose::test, number);
}

/// The same trees, counted anew at every node, without packed keys, histograms or runs.
class ObviousTree
{
  public:
    ObviousTree(std::vector<Cell> cells, const Bins& bins, std::size_t max_features, RandomStream random)
        : bins_(bins), max_features_(max_features), random_(random)
    {
        tree_.importance.assign(bins.size(), 0.0);
        add(std::move(cells));
    }

    Tree grow()
    {
        double sum = 0;
        for (const double v : tree_.importance)
            sum += v;
        for (double& v : tree_.importance)
            v = sum > 0 ? v / sum : 0.0;
        return tree_;
    }

  private:
    static double purity(double a, double c) { return (a * a + c * c) / (a + c); }

    static std::array<double, 2> weights(const std::vector<Cell>& cells, std::size_t feature,
                                         std::size_t last)
    {
        std::array<double, 2> sum{};
        for (const Cell& cell : cells)
        {
            if (cell.codes[feature] > last) continue;
            sum[0] += cell.acceptable;
            sum[1] += cell.critical;
        }
        return sum;
    }

    std::int32_t add(const std::vector<Cell>& cells)
    {
        const auto all = weights(cells, 0, bins_[0].size());
        const auto node = static_cast<std::int32_t>(tree_.nodes.size());
        tree_.nodes.emplace_back();
        tree_.nodes.back().probability = static_cast<float>(all[1] / (all[0] + all[1]));
        if (cells.size() < 2 || all[0] == 0 || all[1] == 0) return node;

        std::vector<std::size_t> order;
        for (std::size_t f = 0; f < bins_.size(); ++f)
            order.push_back(f);
        double best = -1;
        std::size_t feature = 0;
        std::size_t last_left = 0;
        std::size_t first_right = 0;
        bool varied = false;
        for (std::size_t visited = 0; visited < bins_.size() && (visited < max_features_ || !varied);
             ++visited)
        {
            std::swap(order[visited],
                      order[visited + random_.below32(static_cast<std::uint32_t>(bins_.size() - visited))]);
            const std::size_t f = order[visited];
            std::set<std::size_t> present;
            for (const Cell& cell : cells)
                present.insert(cell.codes[f]);
            varied = varied || present.size() > 1;
            for (auto code = present.begin(); std::next(code) != present.end(); ++code)
            {
                const auto left = weights(cells, f, *code);
                const double both = purity(left[0], left[1]) + purity(all[0] - left[0], all[1] - left[1]);
                if (both <= best) continue;
                best = both;
                feature = f;
                last_left = *code;
                first_right = *std::next(code);
            }
        }
        if (best < 0) return node;
        tree_.importance[feature] += best - purity(all[0], all[1]);
        std::vector<Cell> left;
        std::vector<Cell> right;
        for (const Cell& cell : cells)
            (cell.codes[feature] <= last_left ? left : right).push_back(cell);
        const std::int32_t left_node = add(left);
        const std::int32_t right_node = add(right);
        TreeNode& here = tree_.nodes[static_cast<std::size_t>(node)];
        here.feature = static_cast<std::int32_t>(feature);
        here.threshold = (bins_[feature][last_left] + bins_[feature][first_right]) / 2;
        here.left = left_node;
        here.right = right_node;
        return node;
    }

    const Bins& bins_;
    std::size_t max_features_;
    RandomStream random_;
    Tree tree_;
};

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

void expect_same(const Tree& a, const Tree& b)
{
    ASSERT_EQ(a.nodes.size(), b.nodes.size());
    for (std::size_t i = 0; i < a.nodes.size(); ++i)
    {
        EXPECT_EQ(a.nodes[i].feature, b.nodes[i].feature);
        EXPECT_EQ(a.nodes[i].threshold, b.nodes[i].threshold);
        EXPECT_EQ(a.nodes[i].left, b.nodes[i].left);
        EXPECT_EQ(a.nodes[i].right, b.nodes[i].right);
        EXPECT_EQ(a.nodes[i].probability, b.nodes[i].probability);
    }
    EXPECT_EQ(a.importance, b.importance);
}

/// Cells of features with so many values, in a random order; some twice.
std::vector<Cell> random_cells(std::size_t count, const Bins& bins, std::uint64_t number)
{
    RandomStream random = stream(number);
    std::vector<Cell> cells;
    for (std::size_t i = 0; i < count; ++i)
    {
        Cell cell{{}, static_cast<std::uint32_t>(random.below(4)), 0};
        for (const std::vector<float>& values : bins)
            cell.codes.push_back(static_cast<std::size_t>(random.below(values.size())));
        cell.critical = cell.acceptable == 0 || random.below(5) == 0 ? 1 : 0;
        cells.push_back(std::move(cell));
    }
    return cells;
}

Bins whole_numbers(const std::vector<std::size_t>& counts)
{
    Bins bins;
    for (const std::size_t count : counts)
    {
        bins.emplace_back();
        for (std::size_t v = 0; v < count; ++v)
            bins.back().push_back(static_cast<float>(v));
    }
    return bins;
}

TEST(Tree, AgreesWithAnObviousImplementation)
{
    // Features of few and of many codes, nodes of few and of many samples.
    for (const std::vector<std::size_t>& counts :
         {std::vector<std::size_t>{2, 32, 21, 512, 300}, {3000}, {1, 2, 1, 70}, {5, 5, 5}})
    {
        const Bins bins = whole_numbers(counts);
        for (std::uint64_t number = 0; number < 4; ++number)
        {
            const std::vector<Cell> cells = random_cells(600, bins, number);
            const std::size_t tried = 1 + number % counts.size();
            expect_same(grow_tree(cells, bins, tried, stream(9 + number)),
                        ObviousTree(cells, bins, tried, stream(9 + number)).grow());
        }
    }
}

TEST(Tree, DoesNotDependOnTheFormOfItsSamples)
{
    const Bins bins = whole_numbers({2, 32, 21, 512, 300});
    std::vector<Cell> cells = random_cells(2000, bins, 1);
    const Tree compact = grow_of<1>(cells, bins, 2, stream(), {});
    expect_same(compact, grow_of<2>(cells, bins, 2, stream(), {}));
    expect_same(compact, grow_of<4>(cells, bins, 2, stream(), {}));
    // A weight that the free bits of a key do not hold, at the bounds of what they do.
    for (const std::uint32_t weight : {(1U << 17U) - 1, 1U << 17U, 1U << 30U})
    {
        cells[7].acceptable = weight;
        expect_same(grow_of<1>(cells, bins, 2, stream(), {}), grow_of<2>(cells, bins, 2, stream(), {}));
    }
}

TEST(Tree, KeysOfSeveralWords)
{
    // 5 fields of 16 bits: two words.
    const Bins bins = whole_numbers({65536, 40000, 65536, 33000, 65536});
    const std::vector<Cell> cells = random_cells(300, bins, 2);
    expect_same(grow_of<2>(cells, bins, 2, stream(), {}), ObviousTree(cells, bins, 2, stream()).grow());
}

TEST(Tree, StopsBetweenNodes)
{
    // 2^12 cells, neighbours of different classes: about as many nodes.
    std::vector<Cell> samples;
    std::vector<float> values;
    for (std::uint32_t code = 0; code < 1U << 12U; ++code)
    {
        samples.push_back(sample({code}, code % 2 == 0 ? 1U : 0U, code % 2));
        values.push_back(static_cast<float>(code));
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
