#include "analysis/golden_check.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

bool says(const std::string& text, const std::string& phrase)
{
    return text.find(phrase) != std::string::npos;
}

TEST(ChanceTest, IsTheBinomialCountedByHand)
{
    // Three tosses of a coin: 2 or 3 heads in 4 of 8 cases, at most 2 in 7.
    ChanceTest test = test_against_chance(2, 3, 2);
    EXPECT_NEAR(test.at_least, 4.0 / 8, 1e-12);
    EXPECT_NEAR(test.at_most, 7.0 / 8, 1e-12);
    // Four images of four classes: P(2) = 6·9/256, P(3) = 4·3/256, P(4) = 1/256; P(0) = 81, P(1) = 108.
    test = test_against_chance(2, 4, 4);
    EXPECT_NEAR(test.at_least, 67.0 / 256, 1e-12);
    EXPECT_NEAR(test.at_most, (81.0 + 108 + 54) / 256, 1e-12);
    test = test_against_chance(0, 50, 10);
    EXPECT_EQ(test.at_least, 1);
    EXPECT_NEAR(test.at_most, std::pow(0.9, 50), 1e-12);
    EXPECT_NEAR(test_against_chance(7, 7, 10).at_least, 1e-7, 1e-18);
    EXPECT_EQ(test_against_chance(5, 5, 1).at_least, 1);
    EXPECT_EQ(test_against_chance(0, 0, 10).at_most, 1);
    // Exact sums of rational numbers, by Python's fractions.
    EXPECT_NEAR(test_against_chance(22, 200, 10).at_least, 0.35164777827074534, 1e-12);
    EXPECT_NEAR(test_against_chance(22, 200, 10).at_most, 0.7289722301345296, 1e-12);
    EXPECT_THROW(static_cast<void>(test_against_chance(4, 3, 10)), Error);
    EXPECT_THROW(static_cast<void>(test_against_chance(1, 3, 0)), Error);
}

TEST(ChanceWarning, SpeaksUpWhereGuessingDoesAsWell)
{
    const std::string text = chance_warning(22, 200, 10);
    for (const char* phrase : {"22 of 200", "11.00 %", "no better than", "10 classes (10.00 %", "0.35",
                               "data.mean", "data.std", "order", "data.label_offset", "hardly trained"})
        EXPECT_TRUE(says(text, phrase)) << phrase << " is not in: " << text;
    // 20 % of 10,000 images is 33 standard deviations above chance.
    EXPECT_EQ(chance_warning(2000, 10000, 10), "");
    EXPECT_EQ(chance_warning(0, 0, 10), "");
    // The border lies between 30 of 200 (1.6 %) and 31 (0.95 %).
    EXPECT_NE(chance_warning(30, 200, 10), "");
    EXPECT_EQ(chance_warning(31, 200, 10), "");
    EXPECT_TRUE(says(chance_warning(100, 10000, 100), "no better than"));
    EXPECT_EQ(chance_warning(200, 10000, 100), "");
}

TEST(ChanceWarning, TellsWorseThanChance)
{
    // 0.9^44 = 0.97 %, 0.9^43 = 1.08 %.
    EXPECT_TRUE(says(chance_warning(0, 44, 10), "worse than"));
    EXPECT_TRUE(says(chance_warning(0, 43, 10), "no better than"));
    EXPECT_TRUE(says(chance_warning(0, 10000, 10), "0.00 %"));
}

TEST(TieWarning, CountsMarginsOfExactlyZero)
{
    EXPECT_EQ(tie_warning({}), "");
    EXPECT_EQ(tie_warning({1e-30F, 0.5F}), "");
    const std::string text = tie_warning({0.5F, 0.0F, -0.0F, 1e-45F});
    EXPECT_TRUE(says(text, "2 of 4 test images")) << text;
    EXPECT_TRUE(says(text, "margin 0")) << text;
}

TEST(GoldenWarnings, TakeTheClassesFromLabelsAndAnswers)
{
    CampaignHeader header;
    header.images = 4;
    header.golden_correct = 4;
    header.golden = {{0, 1, 0, 1}, {0, 1, 0, 1}, {1, 1, 1, 1}};
    // All four of two classes: 1/16. With one answer of a hundredth class it is 1e-8.
    ASSERT_EQ(golden_warnings(header).size(), 1U);
    EXPECT_TRUE(says(golden_warnings(header)[0], "2 classes"));
    header.golden.label[3] = header.golden.top1[3] = 99;
    EXPECT_TRUE(golden_warnings(header).empty());
    header.golden.margin[2] = 0;
    ASSERT_EQ(golden_warnings(header).size(), 1U);
    EXPECT_TRUE(says(golden_warnings(header)[0], "1 of 4"));
}

}  // namespace
}  // namespace flipstorm
