#include "engine/faults/data_aware.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/faults/fault_model.hpp"

namespace flipstorm
{
namespace
{

constexpr double kOutlierDeviations = 3;
constexpr double kLargestPrior = 0.5;

}  // namespace

double BitStatistics::distance() const
{
    return zeros + ones > 0 ? (zeros * distance_01 + ones * distance_10) / (zeros + ones) : 0;
}

std::vector<BitStatistics> bit_statistics(NumberFormat format, const std::vector<float>& weights)
{
    std::vector<BitStatistics> statistics;
    for (int bit = 0; bit < word_bits(format); ++bit)
    {
        BitStatistics& s = statistics.emplace_back();
        for (const float weight : weights)
        {
            const auto faulty = static_cast<double>(flip_bit(format, weight, bit));
            const double distance = std::isfinite(faulty)
                                        ? std::abs(faulty - static_cast<double>(weight))
                                        : static_cast<double>(std::numeric_limits<float>::max());
            const bool one = (encode(format, weight) >> static_cast<unsigned>(bit) & 1U) != 0;
            (one ? s.ones : s.zeros) += 1;
            (one ? s.distance_10 : s.distance_01) += distance;
        }
        if (s.zeros > 0) s.distance_01 /= s.zeros;
        if (s.ones > 0) s.distance_10 /= s.ones;
    }
    return statistics;
}

std::vector<double> critical_priors(const std::vector<BitStatistics>& statistics)
{
    const auto bits = static_cast<double>(statistics.size());
    double mean = 0;
    for (const BitStatistics& s : statistics)
        mean += s.distance() / bits;
    double variance = 0;
    for (const BitStatistics& s : statistics)
        variance += (s.distance() - mean) * (s.distance() - mean) / bits;
    const double fence = mean + kOutlierDeviations * std::sqrt(variance);
    double low = std::numeric_limits<double>::infinity();
    double high = 0;
    for (const BitStatistics& s : statistics)
    {
        if (s.distance() > fence) continue;
        low = std::min(low, s.distance());
        high = std::max(high, s.distance());
    }
    std::vector<double> priors;
    for (const BitStatistics& s : statistics)
    {
        const double scaled =
            high > low ? kLargestPrior * (s.distance() - low) / (high - low) : kLargestPrior;
        priors.push_back(std::clamp(scaled, 0.0, kLargestPrior));
    }
    return priors;
}

}  // namespace flipstorm
