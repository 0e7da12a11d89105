#pragma once
// The arithmetic of networks of whole numbers: what is summed exactly, what is rounded, and where. All of it
// is stated in engine/METHODS.md; here are its functions. Pure, thread-safe.

#include <algorithm>
#include <cstdint>

namespace flipstorm
{

/// Bits of a product that a sum takes: of longer ones, the low bits are rounded off.
constexpr int kProductBits = 48;

/// Bits that are rounded off the product of words of a and b bits.
[[nodiscard]] constexpr int dropped_bits(int a, int b)
{
    return a + b > kProductBits ? a + b - kProductBits : 0;
}

/// floor(x / 2^shift + 1/2): to the nearest, ties upwards.
[[nodiscard]] constexpr std::int64_t rounded_shift(std::int64_t x, int shift)
{
    return shift == 0 ? x : (x + (std::int64_t{1} << (shift - 1))) >> shift;
}

/// A product, as sums take it.
[[nodiscard]] constexpr std::int64_t rounded_product(std::int64_t a, std::int64_t b, int dropped)
{
    return rounded_shift(a * b, dropped);
}

/// Largest magnitude of Rescale::factor, of its shift, and of what is added to a sum.
constexpr std::int32_t kLargestFactor20 = std::int32_t{1} << 20;
constexpr std::int32_t kLargestShift = 44;
constexpr std::int64_t kLargestOffset = std::int64_t{1} << 52;

/// Multiplication by a real number in whole ones: x → (x · factor + offset + 2^(shift − 1)) >> shift.
struct Rescale
{
    std::int32_t factor = 1;
    std::int32_t shift = 0;
    std::int64_t offset = 0;

    [[nodiscard]] std::int64_t operator()(std::int64_t x) const
    {
        return rounded_shift(x * factor + offset, shift);
    }
};

/**
 * By a ratio of scales: factor / 2^shift with factor = round(ratio · 2^shift) and the shift for which
 * 2^19 ≤ |factor| ≤ 2^20, at least 0 and at most kLargestShift; beyond that it saturates. NaN counts as 0.
 *
 * \param added  what is added then, in units of the result: offset = round(added · 2^shift), saturating
 */
[[nodiscard]] Rescale rescale_of(double ratio, double added = 0);

/// The same number with the least shift: exact powers of two are shifts alone. \pre the offset is 0
[[nodiscard]] Rescale reduced(Rescale rescale);

/// Least and largest whole number of so many bits.
struct CodeLimits
{
    std::int64_t low = 0;
    std::int64_t high = 0;

    [[nodiscard]] std::int64_t operator()(std::int64_t x) const { return std::clamp(x, low, high); }
};

[[nodiscard]] constexpr CodeLimits code_limits(int bits)
{
    return {-(std::int64_t{1} << (bits - 1)), (std::int64_t{1} << (bits - 1)) - 1};
}

/// round(value / scale), ties to even, saturated; NaN counts as 0.
[[nodiscard]] std::int64_t code_of(double value, double scale, CodeLimits limits);

}  // namespace flipstorm
