// The corrupted part of a feature map: what each geometry may look like, and how often.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/base/error.hpp"
#include "engine/faults/geometry.hpp"

namespace flipstorm
{
namespace
{

constexpr int kDraws = 20000;

FaultRegion draw(Geometry geometry, const Shape& shape, double probability, std::uint64_t stream)
{
    RandomStream random(7, RandomPurpose::test, stream);
    return draw_region(geometry, shape, probability, random);
}

TEST(Geometry, HasNames)
{
    for (const char* name : {"single", "row", "column", "line", "block", "channel", "random"})
        EXPECT_STREQ(to_string(geometry_from(name)), name);
    EXPECT_THROW(static_cast<void>(geometry_from("square")), JobError);
    EXPECT_EQ(usual_channel_probability(Geometry::single), 1.0);
    EXPECT_EQ(usual_channel_probability(Geometry::line), 0.75);
    EXPECT_EQ(usual_channel_probability(Geometry::block), 0.3);
    EXPECT_EQ(usual_channel_probability(Geometry::channel), 0.1);
}

TEST(Geometry, StaysInTheMapAndHasTheShapeItsNameSays)
{
    const Shape shape{6, 5, 7};
    for (const Geometry geometry : {Geometry::single, Geometry::row, Geometry::column, Geometry::line,
                                    Geometry::block, Geometry::channel, Geometry::random})
    {
        for (std::uint64_t k = 0; k < 500; ++k)
        {
            const FaultRegion region = draw(geometry, shape, 0.3, k);
            ASSERT_FALSE(region.channels.empty());
            ASSERT_TRUE(std::is_sorted(region.channels.begin(), region.channels.end()));
            ASSERT_EQ(std::set<std::int64_t>(region.channels.begin(), region.channels.end()).size(),
                      region.channels.size());
            ASSERT_GE(region.channels.front(), 0);
            ASSERT_LT(region.channels.back(), 6);
            const std::int64_t rows = region.row_end - region.row_begin;
            const std::int64_t columns = region.column_end - region.column_begin;
            ASSERT_TRUE(region.row_begin >= 0 && rows >= 1 && region.row_end <= 5);
            ASSERT_TRUE(region.column_begin >= 0 && columns >= 1 && region.column_end <= 7);
            const bool is_row = rows == 1 && columns == 7;
            const bool is_column = rows == 5 && columns == 1;
            ASSERT_TRUE(geometry != Geometry::single || (rows == 1 && columns == 1));
            ASSERT_TRUE(geometry != Geometry::row || is_row);
            ASSERT_TRUE(geometry != Geometry::column || is_column);
            ASSERT_TRUE(geometry != Geometry::line || is_row || is_column);
            ASSERT_TRUE(geometry != Geometry::channel || (rows == 5 && columns == 7));
            ASSERT_EQ(region.positions.empty(), geometry != Geometry::random);
            std::int64_t plane = rows * columns;
            if (geometry == Geometry::random)
            {
                plane = static_cast<std::int64_t>(region.positions.size());
                ASSERT_TRUE(std::is_sorted(region.positions.begin(), region.positions.end()));
                ASSERT_EQ(std::adjacent_find(region.positions.begin(), region.positions.end()),
                          region.positions.end());
                ASSERT_GE(region.positions.front(), 0);
                ASSERT_LT(region.positions.back(), 35);
            }
            ASSERT_EQ(region.size(), plane * static_cast<std::int64_t>(region.channels.size()));
        }
    }
}

TEST(Geometry, HitsEachChannelWithItsProbability)
{
    // Of 4 channels with p = 0.3, none is hit with 0.7⁴ = 0.2401; then one of them is. So a channel is hit
    // with 0.3 + 0.2401 / 4 = 0.360; the standard error of 20,000 draws is 0.0034.
    std::map<std::int64_t, int> hits;
    for (std::uint64_t k = 0; k < kDraws; ++k)
    {
        for (const std::int64_t channel : draw(Geometry::block, {4, 3, 3}, 0.3, k).channels)
            ++hits[channel];
    }
    for (std::int64_t c = 0; c < 4; ++c)
        EXPECT_NEAR(hits[c] / static_cast<double>(kDraws), 0.3600, 0.014) << c;
    EXPECT_EQ(draw(Geometry::single, {4, 3, 3}, 1, 0).channels.size(), 4U);
}

TEST(Geometry, BlocksAreUniformInHeightAndPlace)
{
    // Heights of 3 rows: 1, 2, 3 each 1/3. Row 0 is covered with (1/3 + 1/2 + 1)/3 = 0.6111, row 1 with
    // (1/3 + 1 + 1)/3 = 0.7778.
    std::map<std::int64_t, int> heights;
    std::map<std::int64_t, int> covered;
    for (std::uint64_t k = 0; k < kDraws; ++k)
    {
        const FaultRegion region = draw(Geometry::block, {1, 3, 1}, 1, k);
        ++heights[region.row_end - region.row_begin];
        for (std::int64_t row = region.row_begin; row < region.row_end; ++row)
            ++covered[row];
    }
    const auto share = [](int count) { return count / static_cast<double>(kDraws); };
    for (std::int64_t height = 1; height <= 3; ++height)
        EXPECT_NEAR(share(heights[height]), 1 / 3.0, 0.014);
    EXPECT_NEAR(share(covered[0]), 0.6111, 0.014);
    EXPECT_NEAR(share(covered[1]), 0.7778, 0.014);
    EXPECT_NEAR(share(covered[2]), 0.6111, 0.014);
}

TEST(Geometry, ScatteredPositionsAreUniform)
{
    // n uniform on 1 … 4, then n of 4 positions: each is taken with mean n / 4 = 0.625.
    std::map<std::int64_t, int> taken;
    for (std::uint64_t k = 0; k < kDraws; ++k)
    {
        for (const std::int64_t position : draw(Geometry::random, {1, 2, 2}, 1, k).positions)
            ++taken[position];
    }
    for (std::int64_t i = 0; i < 4; ++i)
        EXPECT_NEAR(taken[i] / static_cast<double>(kDraws), 0.625, 0.014);
}

TEST(Geometry, FeaturesAreChannelsOfOnePosition)
{
    const FaultRegion region = draw(Geometry::block, {10}, 0.5, 3);
    EXPECT_EQ(region.size(), static_cast<std::int64_t>(region.channels.size()));
    EXPECT_EQ(region.row_end, 1);
    EXPECT_EQ(region.column_end, 1);
}

TEST(Geometry, RefusesWhatIsNoFeatureMap)
{
    EXPECT_THROW(draw(Geometry::block, {3, 4}, 0.5, 0), Error);
    EXPECT_THROW(draw(Geometry::block, {3, 0, 4}, 0.5, 0), Error);
    EXPECT_THROW(draw(Geometry::block, {3, 4, 4}, 0, 0), Error);
    EXPECT_THROW(draw(Geometry::block, {3, 4, 4}, 1.5, 0), Error);
}

}  // namespace
}  // namespace flipstorm
