#pragma once

#include "engine/compute/cpu/operations.hpp"

namespace flipstorm
{

/// A box of the means over an operation's windows.
void mean_box(const BoxStep& step);

}  // namespace flipstorm
