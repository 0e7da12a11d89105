#include <gtest/gtest.h>

#include "engine/compute/cpu/value_box.hpp"

namespace flipstorm
{
namespace
{

WindowGrid grid_of(const Operation& operation, const ValueForm& in)
{
    return windows_of({"node", operation, {NodeId(0)}, {}}, in);
}

TEST(ValueBox, WindowsOfOperations)
{
    const ValueForm in{4, 8, 8};
    const Box pixel{3, 4, 0, 1};
    // 3×3, padding 1: one pixel around, within the map.
    WindowGrid grid = grid_of(Conv2dOp{4, 4, 3, 1, 1, 1, false}, in);
    EXPECT_EQ(reached(grid, pixel, in), (Box{2, 5, 0, 2}));
    EXPECT_EQ(read_by(grid, {2, 5, 0, 2}, in), (Box{1, 6, 0, 3}));
    // Stride 2: output rows 1 (inputs 1 2 3) and 2 (3 4 5), column 0 (-1 0 1).
    grid = grid_of(Conv2dOp{4, 4, 3, 2, 1, 1, false}, in);
    EXPECT_EQ(reached(grid, pixel, {4, 4, 4}), (Box{1, 3, 0, 1}));
    EXPECT_EQ(read_by(grid, {1, 3, 0, 1}, in), (Box{1, 6, 0, 2}));
    // Pools without overlap; with a last row that no window reads.
    grid = grid_of(MaxPool2dOp{2, 2, 0}, in);
    EXPECT_EQ(reached(grid, pixel, {4, 4, 4}), (Box{1, 2, 0, 1}));
    grid = grid_of(AvgPool2dOp{3, 3}, in);
    EXPECT_EQ(reached(grid, {5, 6, 2, 4}, {4, 2, 2}), (Box{1, 2, 0, 2}));
    EXPECT_TRUE(reached(grid, {6, 8, 0, 8}, {4, 2, 2}).empty());
    // Everything.
    EXPECT_EQ(reached(grid_of(GlobalAvgPoolOp{}, in), pixel, {4, 1, 1}), (Box{0, 1, 0, 1}));
    EXPECT_EQ(read_by(grid_of(LinearOp{256, 3, true}, in), {0, 1, 0, 1}, in), (Box{0, 8, 0, 8}));
    // Elsewhere: one row above, two columns left.
    grid = grid_of(PadOp{0, 0, 1, 0, 2, 0}, in);
    EXPECT_EQ(reached(grid, pixel, {4, 9, 10}), (Box{4, 5, 2, 3}));
    EXPECT_EQ(read_by(grid, {0, 5, 0, 3}, in), (Box{0, 4, 0, 1}));
    // Every second row from 1 to 6: rows 1 3 5.
    grid = grid_of(SliceOp{1, 1, 6, 2}, in);
    EXPECT_EQ(reached(grid, pixel, {4, 3, 8}), (Box{1, 2, 0, 1}));
    EXPECT_TRUE(reached(grid, {4, 5, 0, 1}, {4, 3, 8}).empty());
    EXPECT_TRUE(reached(grid, {0, 1, 0, 1}, {4, 3, 8}).empty());
    EXPECT_TRUE(reached(grid, {7, 8, 0, 1}, {4, 3, 8}).empty());
    EXPECT_EQ(read_by(grid, {1, 3, 0, 8}, in), (Box{3, 6, 0, 8}));
    // Channels, and what works element by element.
    EXPECT_EQ(reached(grid_of(SliceOp{0, 1, 3, 1}, in), pixel, {2, 8, 8}), pixel);
    EXPECT_EQ(reached(grid_of(ReluOp{}, in), pixel, in), pixel);
    EXPECT_TRUE(reached(grid_of(ReluOp{}, in), {}, in).empty());
}

TEST(ValueBox, Unions)
{
    EXPECT_EQ(united({}, {1, 2, 3, 4}), (Box{1, 2, 3, 4}));
    EXPECT_EQ(united({1, 2, 3, 4}, {}), (Box{1, 2, 3, 4}));
    EXPECT_EQ(united({1, 2, 3, 4}, {0, 1, 6, 7}), (Box{0, 2, 3, 7}));
    EXPECT_TRUE(is_within({1, 2, 3, 4}, {1, 3, 3, 4}));
    EXPECT_FALSE(is_within({1, 2, 2, 4}, {1, 3, 3, 4}));
}

}  // namespace
}  // namespace flipstorm
