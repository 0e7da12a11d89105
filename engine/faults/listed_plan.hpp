#pragma once
// Plans of faults that are listed one by one.

#include <vector>

#include "engine/faults/plan.hpp"

namespace flipstorm
{

/// A stratum of each layer that has listed faults, with these as its population.
[[nodiscard]] std::vector<Stratum> listed_strata(const PlanOptions& options);

}  // namespace flipstorm
