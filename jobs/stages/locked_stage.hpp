#pragma once
// What surrounds every stage that writes into the out folder: its lock, and a note of what went wrong.

#include <functional>

#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/**
 * Run a stage while rank 0 holds the lock of the out folder.
 *
 * A stage that ends in order removes `last_error.txt`; the rank on which one fails writes it. A rank that
 * fails alone, and so will have to end the others, removes the lock for rank 0.
 *
 * \throws AgreedError (exit code 74) if another process holds the out folder; what the stage throws.
 * \collective
 */
StageEnd run_locked(Context context, const std::function<StageEnd(const Context&)>& stage);

}  // namespace flipstorm
