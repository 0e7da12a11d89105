#include "engine/base/philox.hpp"

#include <cmath>

namespace flipstorm
{

double RandomStream::normal()
{
    constexpr double kTwoPi = 6.283185307179586;
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(kTwoPi * uniform());
}

}  // namespace flipstorm
