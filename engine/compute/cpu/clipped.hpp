#pragma once
// What ReLU and ReLU6 share on the CPU.

#include "engine/compute/cpu/operations.hpp"

namespace flipstorm
{

/// min(max(x, 0), ceiling) of the golden value with its change, minus that of the golden value.
void clipped_change(ChangeBatch& batch, const NativeStep& step, float ceiling);

[[nodiscard]] inline CpuTraits clipped_traits()
{
    CpuTraits traits;
    traits.in_place = true;
    traits.reads_golden_input = true;
    return traits;
}

}  // namespace flipstorm
