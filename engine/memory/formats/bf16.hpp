#pragma once
// bfloat16: the upper half of a binary32 word.

#include "engine/memory/formats/format_traits.hpp"

namespace flipstorm
{

/// Its row of the table of formats. Thread-safe.
[[nodiscard]] const FormatTraits& bf16_format();

}  // namespace flipstorm
