#include "engine/compute/integer/integer_arithmetic.hpp"

#include <cmath>

namespace flipstorm
{

Rescale rescale_of(double ratio, double added)
{
    constexpr int kFactorBits = 20;
    if (std::isnan(ratio)) ratio = 0;
    const auto most = static_cast<double>(kLargestFactor20);
    Rescale rescale;
    int exponent = 0;
    static_cast<void>(std::frexp(std::fmin(std::fabs(ratio), most), &exponent));
    rescale.shift = ratio == 0 ? kFactorBits : std::clamp(kFactorBits - exponent, 0, kLargestShift);
    const double factor = std::nearbyint(std::ldexp(ratio, rescale.shift));
    rescale.factor = static_cast<std::int32_t>(std::fmin(std::fmax(factor, -most), most));
    const auto farthest = static_cast<double>(kLargestOffset);
    const double offset = std::isnan(added) ? 0 : std::nearbyint(std::ldexp(added, rescale.shift));
    rescale.offset = static_cast<std::int64_t>(std::fmin(std::fmax(offset, -farthest), farthest));
    return rescale;
}

Rescale reduced(Rescale rescale)
{
    while (rescale.shift > 0 && rescale.factor % 2 == 0)
    {
        rescale.factor /= 2;
        --rescale.shift;
    }
    return rescale;
}

std::int64_t code_of(double value, double scale, CodeLimits limits)
{
    if (std::isnan(value)) return 0;
    const double units = std::nearbyint(value / scale);
    return static_cast<std::int64_t>(
        std::min(std::max(units, static_cast<double>(limits.low)), static_cast<double>(limits.high)));
}

}  // namespace flipstorm
