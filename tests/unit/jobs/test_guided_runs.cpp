#include "jobs/guided_runs.hpp"

#include <gtest/gtest.h>

#include <random>

namespace flipstorm
{
namespace
{

using Firsts = std::vector<std::size_t>;

TEST(GuidedRuns, ByHand)
{
    // 8 items of cost 1 for 2 ranks: half a share of 8 is 2; of 6, 1.5; then one at a time.
    EXPECT_EQ(guided_runs(std::vector<QueueItem>(8, {0, 1}), 2), (Firsts{0, 2, 3, 4, 5, 6, 7, 8}));
    // Runs end with their layer.
    EXPECT_EQ(guided_runs({{0, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}}, 2),
              (Firsts{0, 1, 3, 4, 5, 6, 7, 8, 9}));
    // An item that is more than half a share is a run all the same.
    EXPECT_EQ(guided_runs({{0, 10}, {0, 1}, {0, 1}, {0, 1}, {0, 1}}, 2), (Firsts{0, 1, 2, 3, 4, 5}));
    // Never more than 8.
    EXPECT_EQ(guided_runs(std::vector<QueueItem>(1000, {0, 1}), 2)[1], 8U);
    EXPECT_EQ(guided_runs({}, 3), (Firsts{0}));
    EXPECT_EQ(guided_runs({{0, 1}, {0, 1}}, 1), (Firsts{0, 1, 2}));
    EXPECT_EQ(guided_runs({{0, 0}, {0, 0}}, 1), (Firsts{0, 1, 2}));
}

TEST(GuidedRuns, NoRunIsMoreThanHalfAShareUnlessItIsOneItem)
{
    std::mt19937_64 random(3);
    std::uniform_real_distribution<double> cost(0.1, 2);
    for (std::uint64_t ranks = 1; ranks < 20; ++ranks)
    {
        std::vector<QueueItem> items(300);
        double left = 0;
        for (QueueItem& item : items)
        {
            item = {static_cast<std::int32_t>(random() % 2), cost(random)};
            left += item.cost;
        }
        const Firsts runs = guided_runs(items, ranks);
        ASSERT_EQ(runs.front(), 0U);
        ASSERT_EQ(runs.back(), items.size());
        for (std::size_t r = 0; r + 1 < runs.size(); ++r)
        {
            ASSERT_LT(runs[r], runs[r + 1]);
            double sum = 0;
            for (std::size_t i = runs[r]; i < runs[r + 1]; ++i)
            {
                EXPECT_EQ(items[i].layer, items[runs[r]].layer);
                sum += items[i].cost;
            }
            if (runs[r + 1] - runs[r] > 1)
            {
                EXPECT_LE(sum, 0.5 * left / static_cast<double>(ranks) * (1 + 1e-9));
                EXPECT_GT(ranks, 1U);
            }
            left -= sum;
        }
    }
}

}  // namespace
}  // namespace flipstorm
