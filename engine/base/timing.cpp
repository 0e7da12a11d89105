#include "engine/base/timing.hpp"

#include <fmt/chrono.h>

namespace flipstorm
{

std::time_t epoch_seconds()
{
    return std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
}

double steady_seconds()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string utc_timestamp(std::time_t instant)
{
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(instant));
}

}  // namespace flipstorm
