#include "engine/faults/sample_size.hpp"

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"

namespace flipstorm
{

std::uint64_t sample_size(std::uint64_t population, Precision precision)
{
    const auto [margin, quantile, proportion] = precision;
    FS_CHECK(JobError, margin > 0 && margin < 1, "an error margin of {} is not in (0, 1)", margin);
    FS_CHECK(JobError, quantile > 0 && std::isfinite(quantile), "a quantile t of {} is not positive",
             quantile);
    FS_CHECK(JobError, proportion >= 0 && proportion <= 1, "a proportion of {} is not in [0, 1]", proportion);
    if (population == 0) return 0;
    const double variance = proportion * (1 - proportion);
    if (variance == 0) return 1;
    const auto size = static_cast<double>(population);
    const double n = size / (1 + margin * margin * (size - 1) / (quantile * quantile * variance));
    return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::ceil(n)), 1, population);
}

}  // namespace flipstorm
