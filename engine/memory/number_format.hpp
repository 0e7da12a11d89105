#pragma once
// Number formats: how a parameter lies in memory, and what its word reads as after a bit flipped.

#include <cstdint>
#include <string>
#include <string_view>

namespace flipstorm
{

/// Formats of stored parameters. Others are added here and in number_format.cpp.
enum class NumberFormat
{
    fp32,  ///< IEEE 754 binary32
};

/// Format of that name ("fp32"). \throws JobError naming the known ones.
NumberFormat number_format(std::string_view name);

/// Name of a format, as in job files and model.h5.
std::string to_string(NumberFormat format);

/// Bits of a stored word.
int word_bits(NumberFormat format);

/// Stored word of a value, in the low `word_bits` bits.
std::uint32_t encode(NumberFormat format, float value);

/// Value of a stored word. Never clamped: NaN and infinities come through.
float decode(NumberFormat format, std::uint32_t word);

}  // namespace flipstorm
