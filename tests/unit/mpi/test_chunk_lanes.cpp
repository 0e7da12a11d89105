#include "mpi/chunk_lanes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

using Items = std::vector<std::size_t>;

TEST(Lanes, ByHand)
{
    // Two ranks: the last four are the tail; the others by layer, in the order of the queue.
    const std::vector<Lane> lanes =
        lanes_of({{7, 9}, {3, 8}, {7, 6}, {3, 5}, {7, 4}, {3, 3}, {7, 2}, {3, 1}}, 2);
    ASSERT_EQ(lanes.size(), 3U);
    EXPECT_EQ(lanes[0].items, (Items{1, 3}));
    EXPECT_EQ(lanes[0].cost_before, (std::vector<double>{0, 8, 13}));
    EXPECT_EQ(lanes[1].items, (Items{0, 2}));
    EXPECT_EQ(lanes[1].cost_before, (std::vector<double>{0, 9, 15}));
    EXPECT_EQ(lanes[2].items, (Items{4, 5, 6, 7}));
    // Costs 13 and 15: rank 0 of 2 stands at 7, rank 1 at 21 of 28.
    EXPECT_EQ(first_lane(lanes, 0, 2), 0U);
    EXPECT_EQ(first_lane(lanes, 1, 2), 1U);
    EXPECT_EQ(next_lane(lanes, {0, 0, 0}), 1U) << "15 are left there";
    EXPECT_EQ(next_lane(lanes, {0, 1, 0}), 0U) << "13 and 6";
    EXPECT_EQ(next_lane(lanes, {2, 1, 0}), 1U);
    EXPECT_EQ(next_lane(lanes, {2, 9, 0}), 2U) << "the tail last of all";
    EXPECT_EQ(next_lane(lanes, {2, 2, 4}), 3U);
}

TEST(Lanes, OfFewItemsAllAreTail)
{
    const std::vector<Lane> lanes = lanes_of({{0, 3}, {1, 2}, {0, 1}}, 2);
    ASSERT_EQ(lanes.size(), 1U);
    EXPECT_EQ(lanes[0].items, (Items{0, 1, 2}));
    EXPECT_EQ(first_lane(lanes, 1, 2), 0U);
    EXPECT_EQ(lanes_of({}, 4).at(0).size(), 0U);
    EXPECT_EQ(next_lane(lanes_of({}, 4), {0}), 1U);
    EXPECT_THROW(static_cast<void>(first_lane(lanes, 2, 2)), Error);
    EXPECT_THROW(static_cast<void>(next_lane(lanes, {0, 0})), Error);
}

TEST(Lanes, WithoutCostsItemsCount)
{
    const std::vector<Lane> lanes =
        lanes_of({{0, 0}, {1, 0}, {1, 0}, {0, 0}, {1, 0}, {2, 0}, {2, 0}, {2, 0}, {2, 0}}, 2);
    ASSERT_EQ(lanes.size(), 3U) << "layers 0 and 1, and the tail";
    EXPECT_EQ(first_lane(lanes, 0, 2), 0U);
    EXPECT_EQ(first_lane(lanes, 1, 2), 1U);
    EXPECT_EQ(next_lane(lanes, {0, 0, 0}), 1U) << "three items, not two";
}

TEST(Lanes, HoldEveryItemOnceAndRanksInProportion)
{
    std::mt19937_64 random(3);
    std::uniform_real_distribution<double> cost(0.1, 2);
    for (std::uint64_t ranks = 1; ranks < 40; ++ranks)
    {
        std::vector<QueueItem> items(300);
        for (QueueItem& item : items)
            item = {static_cast<std::int32_t>(random() % 5), cost(random)};
        const std::vector<Lane> lanes = lanes_of(items, ranks);
        Items all;
        double whole = 0;
        for (std::size_t l = 0; l < lanes.size(); ++l)
        {
            ASSERT_EQ(lanes[l].cost_before.size(), lanes[l].size() + 1);
            EXPECT_TRUE(std::is_sorted(lanes[l].items.begin(), lanes[l].items.end()));
            all.insert(all.end(), lanes[l].items.begin(), lanes[l].items.end());
            if (l + 1 < lanes.size()) whole += lanes[l].cost_before.back();
            for (std::size_t k = 0; l + 1 < lanes.size() && k < lanes[l].size(); ++k)
                EXPECT_EQ(items[lanes[l].items[k]].layer, items[lanes[l].items[0]].layer);
        }
        EXPECT_EQ(lanes.back().size(), 2 * ranks);
        std::sort(all.begin(), all.end());
        ASSERT_EQ(all.size(), items.size());
        for (std::size_t i = 0; i < all.size(); ++i)
            EXPECT_EQ(all[i], i);
        std::vector<double> at(lanes.size(), 0);
        for (std::uint64_t rank = 0; rank < ranks; ++rank)
            ++at.at(first_lane(lanes, rank, ranks));
        for (std::size_t l = 0; l + 1 < lanes.size(); ++l)
            EXPECT_NEAR(at[l], lanes[l].cost_before.back() / whole * static_cast<double>(ranks), 1.0 + 1e-9);
    }
}

}  // namespace
}  // namespace flipstorm
