#pragma once
// IEEE 754 binary32.

#include "engine/memory/formats/format_traits.hpp"

namespace flipstorm
{

/// Its row of the table of formats. Thread-safe.
[[nodiscard]] const FormatTraits& fp32_format();

}  // namespace flipstorm
