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
    fp32,      ///< IEEE 754 binary32
    fp16,      ///< IEEE 754 binary16
    bf16,      ///< bfloat16
    fp8_e4m3,  ///< OCP E4M3
    fp8_e5m2,  ///< OCP E5M2
    fxp32,     ///< fixed point
    fxp16,
    fxp8,
    int8,   ///< integers, scaled
    int32,  ///< the same; of biases only
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

/// The whole number that the low `bits` bits of a word are in two's complement. Thread-safe.
[[nodiscard]] constexpr std::int64_t whole_number(std::uint32_t word, int bits)
{
    const std::int64_t sign = std::int64_t{1} << (bits - 1);
    return (static_cast<std::int64_t>(word) ^ sign) - sign;
}

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
    /// Words are whole numbers in two's complement, times the scale: networks of them compute in integers.
    bool whole_numbers = false;

    /**
     * The word that reads as the finite value, in the low `bits` bits; the others are 0. Of two neighbours
     * the nearer, the even one in a tie; beyond the largest number, the largest of that sign. Where
     * words_are_values any value is its own word.
     */
    std::uint32_t (*encode)(float value, float scale) = nullptr;

    /// What a word reads as, never clamped: NaN and infinities come through.
    float (*decode)(std::uint32_t word, float scale) = nullptr;

    bool of_weights = true;  ///< weights can be stored in it; else biases alone, and no job names it

    /// Whether the words have an exponent.
    [[nodiscard]] bool floating() const;
};

}  // namespace flipstorm
