#include <gtest/gtest.h>

#include "engine/base/peak_flops.hpp"

namespace flipstorm
{
namespace
{

TEST(PeakFlops, IsWhatAProcessorOfOurTimesCanDo)
{
    // A core runs a billion to some billions of cycles a second, each with 2 to 64 operations.
    const PeakFlops peak = measure_peak(1, 0.05);
    EXPECT_GT(peak.flops, 2e8);
    EXPECT_LT(peak.flops, 1e12);
    EXPECT_FALSE(peak.instruction.empty());
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0)
    {
        EXPECT_NE(peak.instruction, "portable");
    }
#endif
}

}  // namespace
}  // namespace flipstorm
