#include "engine/faults/iterative.hpp"

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/base/statistics.hpp"

namespace flipstorm
{
namespace
{

/// The smallest n in [low, population] whose half-width is within the margin; it falls with n.
std::uint64_t smallest_within(double share, std::uint64_t low, std::uint64_t population, Precision precision)
{
    std::uint64_t high = population;
    while (low < high)
    {
        const std::uint64_t middle = low + (high - low) / 2;
        if (wilson_half_width(share, middle, population, precision.quantile) <= precision.error_margin)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

}  // namespace

std::uint64_t smallest_sample(std::uint64_t population, Precision precision)
{
    static_cast<void>(sample_size(population, precision));  // checks the precision
    if (population == 0) return 0;
    return smallest_within(0, 1, population, precision);
}

std::uint64_t next_sample_size(std::uint64_t population, SeenFaults seen, Precision precision)
{
    FS_REQUIRE(seen.faults > 0 && seen.faults <= population && seen.hits <= seen.faults,
               "{} hits in {} of {} faults", seen.hits, seen.faults, population);
    const double share = static_cast<double>(seen.hits) / static_cast<double>(seen.faults);
    const std::uint64_t needed = smallest_within(share, seen.faults, population, precision);
    return std::min(needed, 2 * seen.faults);
}

}  // namespace flipstorm
