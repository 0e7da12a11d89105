#pragma once
// Whole memories under bit error rates, protected and not: OUT/verify/memory.h5.

#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// Finished trials, in the out folder; they stay, for jobs of more rates or trials.
inline constexpr const char* kMemoryJournal = "memory-journal";

/// \param context  of the campaigns into the protected memory (verification_context). \collective
StageEnd run_memory_trials(const Context& context);

}  // namespace flipstorm
