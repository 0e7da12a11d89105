#pragma once
// Short binary floating-point numbers: sign, exponent, trailing significand, as in IEEE 754.

#include <cmath>
#include <cstdint>
#include <limits>

namespace flipstorm
{

/// What an exponent of all ones stands for.
enum class TopExponent
{
    infinity_and_nan,  ///< IEEE 754: infinity where the significand is 0, else NaN
    numbers,           ///< numbers; NaN where the significand is all ones, no infinity (FN of the OCP's E4M3)
};

/// A binary format of EXPONENT and MANTISSA bits behind a sign, with the bias 2^(EXPONENT − 1) − 1.
template<int EXPONENT, int MANTISSA, TopExponent TOP>
struct BinaryFloat
{
    static constexpr int kBits = 1 + EXPONENT + MANTISSA;
    static constexpr int kBias = (1 << (EXPONENT - 1)) - 1;
    static constexpr std::uint32_t kSign = std::uint32_t{1} << static_cast<unsigned>(kBits - 1);
    static constexpr std::uint32_t kOne = std::uint32_t{1} << static_cast<unsigned>(MANTISSA);
    static constexpr std::uint32_t kAllExponent = ((std::uint32_t{1} << EXPONENT) - 1) << MANTISSA;
    /// Word of the largest finite number; the words of one sign rise with their numbers.
    static constexpr std::uint32_t kLargest =
        TOP == TopExponent::numbers ? (kAllExponent | (kOne - 1)) - 1 : kAllExponent - 1;
    static constexpr std::uint32_t kNan = kAllExponent | (kOne - 1);

    static float decode(std::uint32_t word)
    {
        const std::uint32_t magnitude = word & ~kSign;
        const float sign = (word & kSign) != 0 ? -1.0F : 1.0F;
        if (magnitude > kLargest)
        {
            const bool infinite = TOP == TopExponent::infinity_and_nan && magnitude == kAllExponent;
            return infinite ? sign * std::numeric_limits<float>::infinity()
                            : std::copysign(std::numeric_limits<float>::quiet_NaN(), sign);
        }
        const auto exponent = static_cast<int>(magnitude >> static_cast<unsigned>(MANTISSA));
        const auto mantissa = static_cast<int>(magnitude & (kOne - 1));
        const int significand = exponent == 0 ? mantissa : mantissa + static_cast<int>(kOne);
        return sign *
               std::ldexp(static_cast<float>(significand), (exponent == 0 ? 1 : exponent) - kBias - MANTISSA);
    }

    static std::uint32_t encode(float value)
    {
        const std::uint32_t sign = std::signbit(value) ? kSign : 0;
        if (value == 0) return sign;
        if (std::isnan(value)) return sign | kNan;
        const double magnitude = std::fabs(static_cast<double>(value));
        if (magnitude >= static_cast<double>(decode(kLargest))) return sign | kLargest;
        int exponent = 0;
        static_cast<void>(std::frexp(magnitude, &exponent));  // magnitude < 2^exponent
        const int least = exponent - 1 < 1 - kBias ? 1 - kBias : exponent - 1;
        // In units of the last place, to the nearest even: a carry into the next exponent is the next word.
        const auto units =
            static_cast<std::uint32_t>(std::nearbyint(std::ldexp(magnitude, MANTISSA - least)));
        const auto below = static_cast<std::uint32_t>(least + kBias - 1) << static_cast<unsigned>(MANTISSA);
        return sign | (below + units);
    }
};

}  // namespace flipstorm
