#include <gtest/gtest.h>

#include <set>

#include "engine/base/philox.hpp"

namespace flipstorm
{
namespace
{

struct KnownAnswer
{
    PhiloxCounter counter;
    PhiloxKey key;
    PhiloxCounter expected;
};

// kat_vectors of Random123, lines "philox4x32 10".
TEST(Philox, GivesThePublishedVectors)
{
    const KnownAnswer answers[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (const KnownAnswer& answer : answers)
        EXPECT_EQ(philox4x32(answer.counter, answer.key), answer.expected);
}

TEST(RandomStream, IsAFunctionOfItsKey)
{
    RandomStream first(7, RandomPurpose::test, 3);
    RandomStream again(7, RandomPurpose::test, 3);
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(first.bits32(), again.bits32());
}

TEST(RandomStream, DiffersBySeedPurposeAndStream)
{
    std::set<std::uint64_t> firsts;
    for (const std::uint64_t seed : {1ULL, 2ULL, 1ULL << 32U})
    {
        for (const RandomPurpose purpose : {RandomPurpose::test, RandomPurpose::sample})
        {
            for (const std::uint64_t stream : {0ULL, 1ULL, 1ULL << 32U})
            {
                firsts.insert(RandomStream(seed, purpose, stream).bits64());
            }
        }
    }
    EXPECT_EQ(firsts.size(), 18U);
}

TEST(RandomStream, BelowIsUniformOverSmallRanges)
{
    RandomStream random(1, RandomPurpose::test);
    int counts[5] = {};
    constexpr int kDraws = 50000;
    for (int i = 0; i < kDraws; ++i)
        ++counts[random.below(5)];
    // Standard deviation of a count is 89; six of them.
    for (const int count : counts)
        EXPECT_NEAR(count, kDraws / 5, 540);
    EXPECT_EQ(random.below(1), 0U);
}

TEST(RandomStream, NormalHasMeanZeroAndVarianceOne)
{
    RandomStream random(1, RandomPurpose::test);
    double sum = 0;
    double squares = 0;
    constexpr int kDraws = 20000;
    for (int i = 0; i < kDraws; ++i)
    {
        const double value = random.normal();
        sum += value;
        squares += value * value;
    }
    EXPECT_NEAR(sum / kDraws, 0.0, 0.043);      // six standard errors
    EXPECT_NEAR(squares / kDraws, 1.0, 0.060);  // six standard errors
}

}  // namespace
}  // namespace flipstorm
