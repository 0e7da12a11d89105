#pragma once
// Formats whose words are whole numbers in two's complement, times a scale: fixed point, whose scale is a
// power of two, and integers of any scale.

#include "engine/memory/formats/format_traits.hpp"

namespace flipstorm
{

/// Rows of the table of formats: fixed point of 32, 16 and 8 bits. Thread-safe.
[[nodiscard]] const FormatTraits& fxp32_format();
[[nodiscard]] const FormatTraits& fxp16_format();
[[nodiscard]] const FormatTraits& fxp8_format();

/// 8-bit integers, one scale of a tensor or one of each output channel. Thread-safe.
[[nodiscard]] const FormatTraits& int8_format();

/// 32-bit integers: the biases of layers in int8, which their sums take as they are. Thread-safe.
[[nodiscard]] const FormatTraits& int32_format();

}  // namespace flipstorm
