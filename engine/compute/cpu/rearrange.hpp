#pragma once
// Pads, slices and concatenations on the CPU: the inputs' elements in other places, zeros between them.

#include <array>

#include "engine/compute/cpu/operations.hpp"

namespace flipstorm
{

/// Where the elements of an input go, by dimension (channels, rows, columns): `first`, first + step, … below
/// `end` go to `to`, to + 1, …
struct Placement
{
    std::array<std::int64_t, 3> first{0, 0, 0};
    std::array<std::int64_t, 3> end{0, 0, 0};
    std::array<std::int64_t, 3> step{1, 1, 1};
    std::array<std::int64_t, 3> to{0, 0, 0};

    /// All of a value, to its own place.
    [[nodiscard]] static Placement whole(const PaddedForm& form)
    {
        Placement placement;
        placement.end = {form.channels, form.height, form.width};
        return placement;
    }
};

/// Zeros in all slots of a step's output.
void clear_output(ChangeBatch& batch, const NativeStep& step);

/// Put a changing input where it goes, in all slots.
void place_input(ChangeBatch& batch, const NativeStep& step, const ChangedInput& input,
                 const Placement& placement);

}  // namespace flipstorm
