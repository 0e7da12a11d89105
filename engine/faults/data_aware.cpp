#include "engine/faults/data_aware.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

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

std::vector<BitStatistics> bit_statistics(const StoredTensor& weights)
{
    std::vector<BitStatistics> statistics;
    for (int bit = 0; bit < weights.traits().bits; ++bit)
    {
        BitStatistics& s = statistics.emplace_back();
        const WordFault flip = bit_flip(bit);
        for (std::size_t i = 0; i < weights.size(); ++i)
        {
            const auto faulty = static_cast<double>(weights.faulty_value(i, flip));
            const double distance = std::isfinite(faulty)
                                        ? std::abs(faulty - static_cast<double>(weights.values()[i]))
                                        : static_cast<double>(std::numeric_limits<float>::max());
            const bool one = (weights.word(i) & flip.mask) != 0;
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
