#pragma once
// A parity bit: what is left of a code where an upset need only be noticed.

#include "engine/memory/codes/code.hpp"

namespace flipstorm
{

/// Its row of the table of codes: one check bit, the exclusive or of the data bits. Any odd number of upsets
/// is detected, an even one taken for none.
[[nodiscard]] const CodeTraits& parity_code();

}  // namespace flipstorm
