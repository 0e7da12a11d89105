#pragma once
// What a processor can do at most: the roof that measured speeds are compared with.

#include <string>

namespace flipstorm
{

/// Single-precision arithmetic at its fastest.
struct PeakFlops
{
    double flops = 0;         ///< floating-point operations per second, a multiply-add counted as two
    std::string instruction;  ///< "AVX-512 FMA", "AVX2 FMA" or "portable"
};

/**
 * Measure the peak of so many threads together: independent fused multiply-adds in registers, no memory.
 *
 * The best of several runs that take `seconds` in all. Uses the widest instructions that the machine has.
 */
[[nodiscard]] PeakFlops measure_peak(int threads, double seconds = 0.5);

}  // namespace flipstorm
