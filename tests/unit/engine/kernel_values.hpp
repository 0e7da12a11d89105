#pragma once
// Values for the tests of the kernels, and how results are compared.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "engine/base/philox.hpp"
#include "engine/compute/cpu/kernels.hpp"

namespace flipstorm::test
{

using Floats = std::vector<float>;

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline const float kNan = std::nanf("");
inline constexpr float kGuard = 12345.0F;

inline std::vector<const Kernels*> all_kernels()
{
    std::vector<const Kernels*> sets;
    for (const char* name : {"portable", "avx2", "avx512"})
    {
        if (const Kernels* kernels = kernels_of(name)) sets.push_back(kernels);
    }
    return sets;
}

inline Floats random_floats(std::int64_t count, std::uint64_t stream)
{
    RandomStream random(3, RandomPurpose::test, stream);
    Floats values(static_cast<std::size_t>(count));
    for (float& value : values)
        value = static_cast<float>(random.normal());
    return values;
}

/// The same with a NaN, infinities, zeros of both signs and huge numbers here and there.
inline Floats hard_floats(std::int64_t count, std::uint64_t stream)
{
    Floats values = random_floats(count, stream);
    RandomStream random(4, RandomPurpose::test, stream);
    const Floats hard = {kNan, kInfinity, -kInfinity, 0.0F, -0.0F, 3e38F, -3e38F, 1e-42F};
    for (float& value : values)
    {
        if (random.below(5) == 0) value = hard[random.below(hard.size())];
    }
    return values;
}

/// Equal as numbers; NaN equals NaN.
inline void expect_same(const Floats& got, const Floats& want, const std::string& where)
{
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i)
    {
        const bool same = got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]));
        EXPECT_TRUE(same) << where << " [" << i << "]: " << got[i] << ", should be " << want[i];
    }
}

inline bool same_bits(const Floats& a, const Floats& b)
{
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace flipstorm::test
