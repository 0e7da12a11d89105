#pragma once
// What a fault makes of a parameter: the word under the fault, read as a number again.

#include <cstdint>

#include "engine/memory/number_format.hpp"
#include "engine/memory/word_fault.hpp"

namespace flipstorm
{

/**
 * Value of a parameter whose stored word has a fault. Never clamped: NaN and infinities come through.
 *
 * \throws Error if the fault hits a bit that the format's words do not have. Thread-safe.
 */
float faulty_value(NumberFormat format, float value, WordFault fault);

/**
 * Value of a parameter after a single event upset flipped one bit of its stored word.
 *
 * \param bit  0 = least significant; below word_bits(format)
 * \throws Error if there is no such bit. Thread-safe.
 */
float flip_bit(NumberFormat format, float value, std::int32_t bit);

}  // namespace flipstorm
