#pragma once
// What an upset makes of a number: its word under the fault, read as a number again.

#include "engine/memory/number_format.hpp"
#include "engine/memory/word_fault.hpp"

namespace flipstorm
{

/// What a word reads as under a fault. Never clamped: NaN and infinities come through.
/// \throws Error if the fault hits a bit that the format's words do not have. Thread-safe.
[[nodiscard]] float faulty_word(const FormatTraits& traits, std::uint32_t word, WordFault fault,
                                float scale = 1);

/// The same of the word of a value. \throws Error as above. Thread-safe.
[[nodiscard]] float faulty_value(const FormatTraits& traits, float value, WordFault fault, float scale = 1);

}  // namespace flipstorm
