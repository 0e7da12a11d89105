#include "analysis/share_table.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace flipstorm
{
namespace
{

TEST(ShareTable, AsComputedByHand)
{
    // Layer 0: bit 1 critical in 2 of 3 rows, bit 0 in none of 2. Layer 1: bit 1 in 1 of 1. Row 6 is left
    // out.
    const std::vector<std::vector<float>> columns{{0, 0, 0, 0, 0, 0, 0},
                                                  {1, 1, 1, 0, 0, 1, 2},
                                                  {0, 0, 0, 0, 0, 1, 0},
                                                  {0, 1, 2, 0, 1, 0, 0},
                                                  {0, 0, 0, 0, 0, 0, 0}};
    const FeatureTable table = make_feature_table({"sign", "bit", "layer", "out", "in"}, columns);
    std::vector<std::uint32_t> rows(6);
    std::iota(rows.begin(), rows.end(), 0U);
    const ShareTable shares(table, {1, 1, 0, 0, 0, 1, 1}, rows);
    const double all = 3.0 / 6;
    const double bit1 = (3 + all) / (4 + 1);
    const double bit0 = (0 + all) / (2 + 1);
    EXPECT_DOUBLE_EQ(shares.share(0, 1), (2 + bit1) / (3 + 1));
    EXPECT_DOUBLE_EQ(shares.share(1, 1), (1 + bit1) / (1 + 1));
    EXPECT_DOUBLE_EQ(shares.share(0, 0), bit0 / (2 + 1));
    // What no row was of: a layer's other bit, another layer, another bit.
    EXPECT_DOUBLE_EQ(shares.share(1, 0), bit0);
    EXPECT_DOUBLE_EQ(shares.share(7, 1), bit1);
    EXPECT_DOUBLE_EQ(shares.share(0, 30), all);

    const std::vector<double> predicted =
        shares.predict(table, {table.cell[0], table.cell[5], table.cell[3]});
    EXPECT_EQ(predicted, (std::vector<double>{shares.share(0, 1), shares.share(1, 1), shares.share(0, 0)}));
}

}  // namespace
}  // namespace flipstorm
