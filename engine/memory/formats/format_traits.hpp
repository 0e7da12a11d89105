#pragma once
// What a number format is: its row of the table in number_format.cpp, filled in by one file of this folder.

#include <cstdint>
#include <string>
#include <vector>

namespace flipstorm
{

/// Formats of stored words, numbered from 0 without a gap.
enum class NumberFormat : std::uint8_t
{
    fp32,  ///< IEEE 754 binary32
};

/// What a bit of a word says.
enum class BitMeaning : std::uint8_t
{
    sign,
    exponent,
    mantissa,
    integer,   ///< a whole number's digits
    fraction,  ///< digits behind the point of a fixed-point number
};

/// Name of a meaning, as the figures write it.
[[nodiscard]] std::string to_string(BitMeaning meaning);

/// Bits side by side that say one thing.
struct BitField
{
    BitMeaning meaning = BitMeaning::sign;
    int bits = 0;
};

/// Bits side by side whose faults take about the same work.
struct BitClass
{
    std::string name;
    int bits = 0;
    double followed = 1;  ///< about which share of its (fault, image) pairs a screen leaves to be followed
};

/// What multiplies a word's number.
enum class Scaling : std::uint8_t
{
    none,          ///< nothing: a word says all
    power_of_two,  ///< fixed point: 2^−f for f digits behind the point, one of a tensor
    any,           ///< any positive number, one of a tensor or one of each output channel
};

/// A number format. Its functions are pure and thread-safe.
struct FormatTraits
{
    NumberFormat format = NumberFormat::fp32;
    std::string name;               ///< in job files, model.h5 and figures
    int bits = 0;                   ///< of a word: 8, 16 or 32
    std::vector<BitField> fields;   ///< from the top of the word to its end
    std::vector<BitClass> classes;  ///< the same
    Scaling scaling = Scaling::none;
    /// A word is the pattern of the float that it reads as: stored and decoded are one array.
    bool words_are_values = false;

    /**
     * The word that reads as the finite value, in the low `bits` bits; the others are 0. Of two neighbours
     * the nearer, the even one in a tie; beyond the largest number, the largest of that sign. Where
     * words_are_values any value is its own word.
     */
    std::uint32_t (*encode)(float value, float scale) = nullptr;

    /// What a word reads as, never clamped: NaN and infinities come through.
    float (*decode)(std::uint32_t word, float scale) = nullptr;

    /// Whether the words have an exponent.
    [[nodiscard]] bool floating() const;
};

}  // namespace flipstorm
