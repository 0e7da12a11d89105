#pragma once
// The single-error-correcting code of R. W. Hamming, "Error detecting and error correcting codes", Bell
// System Technical Journal 29 (1950), shortened to any number of data bits.

#include "engine/memory/codes/code.hpp"

namespace flipstorm
{

/**
 * Its row of the table of codes.
 *
 * The bits of a code word have the positions 1, 2, 3, …: check bit i is at 2^i, the data bits are at the
 * others in rising order. Check bit i makes the number of ones even among the positions that have bit i set,
 * so that the exclusive or of the positions of all ones, the syndrome, is 0; after one upset it is the
 * position that was hit.
 *
 * - Check bits: the least r with 2^r ≥ k + r + 1: 4 for 8, 5 for 16, 6 for 32, 7 for 64, 8 for 128.
 * - A syndrome that is a position of the code corrects it; one beyond the last (the code is shortened unless
 * k + r + 1 = 2^r) is detected. Two upsets are miscorrected or detected: the code has distance 3.
 */
[[nodiscard]] const CodeTraits& hamming_sec_code();

}  // namespace flipstorm
