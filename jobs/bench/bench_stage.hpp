#pragma once
// Stage `bench`.

#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// Time the evaluation modes on the same faults of the job's campaign and compare their outcomes. One rank.
StageEnd run_bench(const Context& context);

}  // namespace flipstorm
