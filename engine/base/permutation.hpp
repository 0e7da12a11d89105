#pragma once
// A keyed permutation of [0, N): sampling without replacement that nobody has to remember. Fault k of a
// stratum is `permutation(k)`; the first n values are a uniform-looking sample of n distinct elements.

#include <cstdint>

#include "engine/base/philox.hpp"

namespace flipstorm
{

/**
 * A bijection of [0, N) chosen by a key, for every N up to 2^62.
 *
 * A balanced Feistel network of 8 rounds over the smallest even number of bits that holds N, with Philox
 * 4x32-10 as round function, and cycle walking: a value outside [0, N) is enciphered again until it falls
 * inside (less than 4 times on average). Black and Rogaway, "Ciphers with arbitrary finite domains", 2002.
 * Thread-safe: the object does not change.
 */
class KeyedPermutation
{
  public:
    /// \throws Error if `size` exceeds 2^62.
    KeyedPermutation(std::uint64_t seed, RandomPurpose purpose, std::uint64_t stream, std::uint64_t size);

    /// Image of `index`. \throws Error if `index` is not in [0, size).
    [[nodiscard]] std::uint64_t operator()(std::uint64_t index) const;

    [[nodiscard]] std::uint64_t size() const { return size_; }

  private:
    [[nodiscard]] std::uint64_t encipher(std::uint64_t value) const;

    PhiloxKey key_;
    std::uint32_t purpose_;
    std::uint64_t stream_;
    std::uint64_t size_;
    unsigned half_bits_;
};

}  // namespace flipstorm
