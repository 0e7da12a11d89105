#include "engine/memory/bit_class.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace flipstorm
{
namespace
{

TEST(BitClasses, CoverTheWordOfAFloat)
{
    const BitClasses classes = bit_classes(NumberFormat::fp32);
    ASSERT_EQ(classes.of_bit.size(), 32U);
    ASSERT_EQ(classes.followed.size(), classes.size());
    const auto name = [&](std::size_t bit) { return classes.names.at(classes.of_bit[bit]); };
    EXPECT_EQ(name(31), "sign");
    EXPECT_EQ(name(30), "top exponent");
    EXPECT_EQ(name(29), "upper exponent");
    EXPECT_EQ(name(26), "lower exponent");
    EXPECT_EQ(name(23), "lower exponent");
    EXPECT_EQ(name(22), "upper mantissa");
    EXPECT_EQ(name(18), "middle mantissa");
    EXPECT_EQ(name(0), "lower mantissa");
    for (std::size_t c = 0; c < classes.size(); ++c)
    {
        EXPECT_GT(std::count(classes.of_bit.begin(), classes.of_bit.end(), c), 0);
        EXPECT_TRUE(classes.followed[c] > 0 && classes.followed[c] <= 1);
    }
}

}  // namespace
}  // namespace flipstorm
