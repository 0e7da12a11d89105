#pragma once
// Whole memories under bit error rates, protected and not: OUT/verify/memory.h5.

#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// \param context  of the campaigns into the protected memory (verification_context). \collective
StageEnd run_memory_trials(const Context& context);

}  // namespace flipstorm
