#include "engine/base/statistics.hpp"

#include <algorithm>
#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/normal.hpp>
#include <cmath>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// Of Wilson's interval, before it is cut at 0 and 1. \param z2  quantile² / size
double half_width(double share, double z2)
{
    return std::sqrt(z2 * (share * (1 - share) + z2 / 4)) / (1 + z2);
}

}  // namespace

ShareInterval wilson_interval(double share, double size, double quantile)
{
    if (size <= 0) return {share, 0.0, 1.0};
    const double p = share;
    const double z2 = quantile * quantile / size;
    const double centre = (p + z2 / 2) / (1 + z2);
    const double half = half_width(p, z2);
    return {p, p > 0 ? std::clamp(centre - half, 0.0, p) : 0.0,
            p < 1 ? std::clamp(centre + half, p, 1.0) : 1.0};
}

double wilson_half_width(double share, std::uint64_t drawn, std::uint64_t population, double quantile)
{
    if (drawn >= population) return 0;
    if (drawn == 0) return 0.5;
    const auto n = static_cast<double>(drawn);
    const auto whole = static_cast<double>(population);
    const double size = n * (whole / (whole - n));
    return half_width(share, quantile * quantile / size);
}

ShareInterval clopper_pearson_interval(double share, double size, double quantile)
{
    if (size <= 0) return {share, 0.0, 1.0};
    if (std::isinf(size)) return {share, share, share};
    const double tail =
        boost::math::cdf(boost::math::complement(boost::math::normal_distribution<double>(), quantile));
    const double hits = std::clamp(share * size, 0.0, size);
    ShareInterval interval{share, 0.0, 1.0};
    if (share > 0)
    {
        const boost::math::beta_distribution<double> below(hits, size - hits + 1);
        interval.low = std::min(share, boost::math::quantile(below, tail));
    }
    if (share < 1 && size > hits)
    {
        const boost::math::beta_distribution<double> above(hits + 1, size - hits);
        interval.high = std::max(share, boost::math::quantile(boost::math::complement(above, tail)));
    }
    return interval;
}

double clopper_pearson_upper(std::uint64_t hits, std::uint64_t size, double confidence)
{
    FS_REQUIRE(hits <= size, "{} hits in {} draws", hits, size);
    if (hits == size) return 1.0;
    const boost::math::beta_distribution<double> tail(static_cast<double>(hits) + 1,
                                                      static_cast<double>(size - hits));
    return boost::math::quantile(boost::math::complement(tail, 1 - confidence));
}

}  // namespace flipstorm
