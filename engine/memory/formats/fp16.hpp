#pragma once
// IEEE 754 binary16.

#include "engine/memory/formats/format_traits.hpp"

namespace flipstorm
{

/// Its row of the table of formats. Thread-safe.
[[nodiscard]] const FormatTraits& fp16_format();

}  // namespace flipstorm
