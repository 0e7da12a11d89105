#include "engine/faults/memory_upsets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

std::vector<std::uint64_t> upsets(std::uint64_t bits, double ber, double adjacent, std::uint64_t stream)
{
    return upset_bits(bits, ber, adjacent, RandomStream(11, RandomPurpose::test, stream));
}

// The number is binomial, and no bit is hit more often than others.
TEST(MemoryUpsets, EachBitFlipsWithTheRate)
{
    constexpr std::uint64_t kBits = 400;
    constexpr std::uint64_t kTrials = 20'000;
    for (const double ber : {0.002, 0.05, 0.6})
    {
        std::vector<std::uint64_t> hits(kBits, 0);
        double sum = 0;
        double squares = 0;
        for (std::uint64_t trial = 0; trial < kTrials; ++trial)
        {
            const auto upset = upsets(kBits, ber, 0, trial);
            ASSERT_TRUE(std::is_sorted(upset.begin(), upset.end()));
            ASSERT_EQ(std::adjacent_find(upset.begin(), upset.end()), upset.end());
            for (const std::uint64_t bit : upset)
                ++hits.at(bit);
            const auto count = static_cast<double>(upset.size());
            sum += count;
            squares += count * count;
        }
        const double mean = sum / kTrials;
        const double variance = squares / kTrials - mean * mean;
        const double expected = kBits * ber * (1 - ber);
        EXPECT_NEAR(mean, kBits * ber, 5 * std::sqrt(expected / kTrials));
        EXPECT_NEAR(variance / expected, 1, 0.06);
        for (const std::uint64_t hit : hits)
            EXPECT_NEAR(static_cast<double>(hit), kTrials * ber,
                        5 * std::sqrt(kTrials * ber * (1 - ber)) + 1);
    }
}

TEST(MemoryUpsets, AreAFunctionOfTheStream)
{
    EXPECT_EQ(upsets(100'000, 0.001, 0.2, 3), upsets(100'000, 0.001, 0.2, 3));
    EXPECT_NE(upsets(100'000, 0.001, 0.2, 3), upsets(100'000, 0.001, 0.2, 4));
    EXPECT_TRUE(upsets(1'000'000'000, 0, 0, 1).empty());
    EXPECT_TRUE(upsets(0, 0.5, 0, 1).empty());
    // 357 million bits at a rate of 1e-9: none in most memories.
    EXPECT_LT(upsets(357'000'000, 1e-9, 0, 1).size(), 10U);
}

TEST(MemoryUpsets, NeighboursFlipToo)
{
    const auto upset = upsets(1'000'000, 0.001, 1, 5);
    // All of them in pairs, but where pairs meet.
    std::size_t paired = 0;
    for (std::size_t i = 0; i + 1 < upset.size(); ++i)
        paired += upset[i + 1] == upset[i] + 1 ? 1 : 0;
    EXPECT_NEAR(static_cast<double>(paired), static_cast<double>(upset.size()) / 2, 10);
    EXPECT_NEAR(static_cast<double>(upset.size()), 2000, 250);
}

TEST(MemoryUpsets, RefusesWhatIsNoProbability)
{
    EXPECT_THROW(static_cast<void>(upsets(10, 1, 0, 1)), Error);
    EXPECT_THROW(static_cast<void>(upsets(10, -0.1, 0, 1)), Error);
    EXPECT_THROW(static_cast<void>(upsets(10, NAN, 0, 1)), Error);
    EXPECT_THROW(static_cast<void>(upsets(10, 0.1, 2, 1)), Error);
}

}  // namespace
}  // namespace flipstorm
