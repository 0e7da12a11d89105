#pragma once
// The 8-bit floating-point formats of the Open Compute Project's "OCP 8-bit Floating Point Specification",
// 2023: E4M3 has no infinity and one NaN of each sign, E5M2 is a short binary16.

#include "engine/memory/formats/format_traits.hpp"

namespace flipstorm
{

/// Their rows of the table of formats. Thread-safe.
[[nodiscard]] const FormatTraits& fp8_e4m3_format();
[[nodiscard]] const FormatTraits& fp8_e5m2_format();

}  // namespace flipstorm
