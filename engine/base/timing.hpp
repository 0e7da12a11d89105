#pragma once
// Time: elapsed seconds for measurements, calendar time for files and deadlines.

#include <chrono>
#include <ctime>
#include <string>

namespace flipstorm
{

/// Seconds since construction, from a clock that never jumps.
class Stopwatch
{
  public:
    [[nodiscard]] double seconds() const
    {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Seconds since some instant, from a clock that never jumps.
[[nodiscard]] double steady_seconds();

/// Now, as seconds since 1970-01-01 UTC.
[[nodiscard]] std::time_t epoch_seconds();

/// An instant in UTC as ISO 8601: "2023-04-17T09:30:00Z".
[[nodiscard]] std::string utc_timestamp(std::time_t instant);

}  // namespace flipstorm
