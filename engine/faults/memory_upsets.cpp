#include "engine/faults/memory_upsets.hpp"

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"

namespace flipstorm
{

std::vector<std::uint64_t> upset_bits(std::uint64_t bits, double ber, double adjacent_share,
                                      RandomStream random)
{
    FS_REQUIRE(ber >= 0 && ber < 1 && adjacent_share >= 0 && adjacent_share <= 1,
               "a bit error rate of {} and an adjacent share of {}", ber, adjacent_share);
    std::vector<std::uint64_t> upset;
    if (ber == 0) return upset;
    // Bits between one upset and the next are geometric.
    const double log_of_none = std::log1p(-ber);
    double at = -1;
    for (;;)
    {
        at += 1 + std::floor(std::log1p(-random.uniform()) / log_of_none);
        if (at >= static_cast<double>(bits)) break;
        const auto bit = static_cast<std::uint64_t>(at);
        upset.push_back(bit);
        if (adjacent_share > 0 && random.uniform() < adjacent_share && bit + 1 < bits)
            upset.push_back(bit + 1);
    }
    // Twice is not at all.
    std::vector<std::uint64_t> once;
    std::sort(upset.begin(), upset.end());
    for (std::size_t i = 0; i < upset.size(); ++i)
    {
        if (i + 1 < upset.size() && upset[i + 1] == upset[i])
            ++i;
        else
            once.push_back(upset[i]);
    }
    return once;
}

}  // namespace flipstorm
