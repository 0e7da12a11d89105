#pragma once
// What the codes ask of the words that they are given. Internal to this folder.

#include <cstdint>

#include "engine/base/error.hpp"

namespace flipstorm
{

constexpr int kMostDataBits = 64;

/// The number of data bits itself. \throws Error unless 1 ≤ bits ≤ most
inline int bits_of_word(int bits, int most = kMostDataBits)
{
    FS_REQUIRE(bits >= 1 && bits <= most, "a code word over {} bits; 1 to {} are possible", bits, most);
    return bits;
}

/// \throws Error if a value has bits above those it may have
inline void require_bits(std::uint64_t value, int bits, const char* what)
{
    FS_REQUIRE(bits >= 64 || value >> static_cast<unsigned>(bits) == 0, "{} {:#x} of {} bits", what, value,
               bits);
}

}  // namespace flipstorm
