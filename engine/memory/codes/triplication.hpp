#pragma once
// Triple modular redundancy: three copies of every bit, and the majority of them.

#include "engine/memory/codes/code.hpp"

namespace flipstorm
{

/**
 * Its row of the table of codes: the check bits are two more copies of the data, of up to 32 bits. Upsets are
 * put right as long as no two hit the same bit.
 *
 * Its decoder has no exclusive or of many bits: a majority gate per bit counts as four two-input gates.
 */
[[nodiscard]] const CodeTraits& triplication_code();

}  // namespace flipstorm
