#pragma once
// The code of M. Y. Hsiao, "A class of optimal minimum odd-weight-column SEC-DED codes", IBM Journal of
// Research and Development 14 (1970), for any number of data bits.

#include "engine/memory/codes/code.hpp"

namespace flipstorm
{

/**
 * Its row of the table of codes: single errors are corrected, double ones detected.
 *
 * Each bit of a code word has a column of r bits; the exclusive or of the columns of all ones, the syndrome,
 * is 0. Check bit i has the column 2^i, data bits have different columns of an odd weight of 3 and more, the
 * lightest first, so chosen that the rows of the matrix stay as even as they can. One upset leaves its own
 * column, of odd weight; two leave an even one that is not 0.
 *
 * Check bits: the least r with 2^(r−1) − r ≥ k: 5 for 8, 6 for 16, 7 for 32, 8 for 64.
 */
[[nodiscard]] const CodeTraits& hsiao_sec_ded_code();

}  // namespace flipstorm
