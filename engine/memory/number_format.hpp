#pragma once
// Number formats: how a parameter lies in memory, and what its word reads as. The table of them.

#include <string>
#include <string_view>
#include <vector>

#include "engine/memory/formats/format_traits.hpp"

namespace flipstorm
{

/// Row of a format. \throws Error for a number that is no format's. Thread-safe.
[[nodiscard]] const FormatTraits& format_traits(NumberFormat format);

/// All formats, in the order of the enumeration. Thread-safe.
[[nodiscard]] const std::vector<NumberFormat>& number_formats();

/// Names of those that weights can be stored in, in the same order: what `model.format` of a job may say.
/// Thread-safe.
[[nodiscard]] std::vector<std::string> number_format_names();

/// Format of weights of that name ("fp32"). \throws JobError naming the known ones.
[[nodiscard]] NumberFormat number_format(std::string_view name);

/// Row of the format of that name, also of one of biases alone; null if there is none. Thread-safe.
[[nodiscard]] const FormatTraits* find_format(std::string_view name);

/// Name of a format, as in job files and model.h5.
[[nodiscard]] std::string to_string(NumberFormat format);

/// Name and fields of a format, from the top of its word: "fp32=sign:1,exponent:8,mantissa:23". Thread-safe.
[[nodiscard]] std::string fields_text(NumberFormat format);

/// Bits of a stored word.
[[nodiscard]] int word_bits(NumberFormat format);

}  // namespace flipstorm
