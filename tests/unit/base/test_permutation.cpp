#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/base/permutation.hpp"

namespace flipstorm
{
namespace
{

TEST(KeyedPermutation, IsABijectionForEverySmallSize)
{
    for (std::uint64_t size = 1; size <= 600; ++size)
    {
        for (const std::uint64_t seed : {0ULL, 12345ULL})
        {
            const KeyedPermutation permutation(seed, RandomPurpose::test, size, size);
            std::vector<bool> hit(size, false);
            for (std::uint64_t k = 0; k < size; ++k)
            {
                const std::uint64_t image = permutation(k);
                ASSERT_LT(image, size);
                ASSERT_FALSE(hit[image]) << "size " << size << ", element " << image << " twice";
                hit[image] = true;
            }
        }
    }
}

TEST(KeyedPermutation, IsABijectionAroundPowersOfFour)
{
    for (const std::uint64_t size : {4095ULL, 4096ULL, 4097ULL, 65535ULL, 65537ULL, 262145ULL})
    {
        const KeyedPermutation permutation(9, RandomPurpose::test, 0, size);
        std::vector<bool> hit(size, false);
        for (std::uint64_t k = 0; k < size; ++k)
            hit[permutation(k)] = true;
        EXPECT_EQ(std::count(hit.begin(), hit.end(), true), static_cast<std::ptrdiff_t>(size));
    }
}

TEST(KeyedPermutation, DependsOnSeedStreamAndPurpose)
{
    const KeyedPermutation a(1, RandomPurpose::test, 0, 1000000);
    const KeyedPermutation b(2, RandomPurpose::test, 0, 1000000);
    const KeyedPermutation c(1, RandomPurpose::test, 1, 1000000);
    const KeyedPermutation d(1, RandomPurpose::sample, 0, 1000000);
    int equal = 0;
    for (std::uint64_t k = 0; k < 1000; ++k)
    {
        equal += (a(k) == b(k) ? 1 : 0) + (a(k) == c(k) ? 1 : 0) + (a(k) == d(k) ? 1 : 0);
    }
    EXPECT_LT(equal, 5);
}

// Over many keys every ordering of four elements is as likely as any other.
TEST(KeyedPermutation, ReachesAllOrdersEvenly)
{
    std::map<std::vector<std::uint64_t>, int> counts;
    constexpr int kKeys = 24000;
    for (std::uint64_t seed = 0; seed < kKeys; ++seed)
    {
        const KeyedPermutation p(seed, RandomPurpose::test, 0, 4);
        ++counts[{p(0), p(1), p(2), p(3)}];
    }
    EXPECT_EQ(counts.size(), 24U);
    double chi_squared = 0;
    for (const auto& [order, count] : counts)
        chi_squared += (count - 1000.0) * (count - 1000.0) / 1000.0;
    EXPECT_LT(chi_squared, 60.0);  // 23 degrees of freedom: exceeded with probability 4e-5
}

TEST(KeyedPermutation, WorksOnHugePopulationsAndRefusesLarger)
{
    const std::uint64_t size = (1ULL << 62U) - 5;
    const KeyedPermutation permutation(1, RandomPurpose::test, 0, size);
    EXPECT_LT(permutation(size - 1), size);
    EXPECT_THROW(static_cast<void>(permutation(size)), Error);
    EXPECT_THROW(KeyedPermutation(1, RandomPurpose::test, 0, (1ULL << 62U) + 1), Error);
}

}  // namespace
}  // namespace flipstorm
