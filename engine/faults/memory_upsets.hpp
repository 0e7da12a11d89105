#pragma once
// Upsets of a whole memory at a bit error rate.

#include <cstdint>
#include <vector>

#include "engine/base/philox.hpp"

namespace flipstorm
{

/**
 * The bits of a memory of so many that flip, rising: each with probability `ber`, independently of the others
 * (so that their number is binomial), and with each, with probability `adjacent_share`, the bit behind it. A
 * bit that is hit twice does not flip. The work grows with the upsets, not with the bits.
 *
 * \throws Error unless 0 ≤ ber < 1 and 0 ≤ adjacent_share ≤ 1. Thread-safe.
 */
[[nodiscard]] std::vector<std::uint64_t> upset_bits(std::uint64_t bits, double ber, double adjacent_share,
                                                    RandomStream random);

}  // namespace flipstorm
