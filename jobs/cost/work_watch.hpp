#pragma once
// Seconds of work, for what a campaign will cost.

#include <ctime>

#include "engine/base/timing.hpp"

namespace flipstorm
{

/// Seconds since it was made. On a CPU those that the process got: a machine that others use, too, does not
/// matter.
class WorkWatch
{
  public:
    explicit WorkWatch(bool cuda) : cuda_(cuda) {}

    [[nodiscard]] double seconds() const
    {
        return cuda_ ? wall_.seconds()
                     : static_cast<double>(std::clock() - start_) / static_cast<double>(CLOCKS_PER_SEC);
    }

  private:
    bool cuda_;
    Stopwatch wall_;
    std::clock_t start_ = std::clock();
};

}  // namespace flipstorm
