#pragma once
// Fault models: what an upset does to a stored word. Each is a function of the word alone, so that a campaign
// needs no state; another model is another function here.

#include <cstdint>

#include "engine/network/number_format.hpp"

namespace flipstorm
{

/**
 * Value of a parameter after a single event upset flipped one bit of its stored word.
 *
 * \param bit  0 = least significant; below word_bits(format)
 * \throws Error if there is no such bit. Thread-safe.
 */
float flip_bit(NumberFormat format, float value, std::int32_t bit);

}  // namespace flipstorm
