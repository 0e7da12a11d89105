#include "engine/train/schedule.hpp"

#include <cmath>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// From `start` (share 0) to `end` (share 1) along half a cosine.
double cosine_between(double start, double end, double share)
{
    constexpr double kPi = 3.141592653589793;
    return end + (start - end) / 2.0 * (1.0 + std::cos(kPi * share));
}

}  // namespace

Schedule schedule_from(std::string_view name)
{
    if (name == "constant") return Schedule::constant;
    if (name == "cosine") return Schedule::cosine;
    if (name == "one_cycle") return Schedule::one_cycle;
    throw JobError("train.schedule: '{}' is not known; this build has: one_cycle, cosine, constant", name);
}

double learning_rate(Schedule schedule, double peak, std::int64_t step, std::int64_t steps)
{
    FS_REQUIRE(step >= 0 && step < steps, "step {} of {}", step, steps);
    const auto at = static_cast<double>(step);
    const auto total = static_cast<double>(steps);
    switch (schedule)
    {
        case Schedule::constant:
            return peak;
        case Schedule::cosine:
            return cosine_between(peak, 0.0, at / total);
        case Schedule::one_cycle: {
            const double start = peak / 25.0;
            const double end = start / 1.0e4;
            const double rise = 0.3 * total - 1.0;  // the step at the top, as PyTorch counts
            if (at <= rise) return cosine_between(start, peak, at / rise);
            return cosine_between(peak, end, (at - rise) / (total - 1.0 - rise));
        }
    }
    throw Error("unknown schedule");
}

}  // namespace flipstorm
