#pragma once
// The shape of a value for one image.

#include <cstdint>
#include <vector>

namespace flipstorm
{

/// [C, H, W] or [features].
using Shape = std::vector<std::int64_t>;

/// Elements of a shape.
[[nodiscard]] inline std::int64_t elements(const Shape& shape)
{
    std::int64_t count = 1;
    for (const std::int64_t size : shape)
        count *= size;
    return count;
}

}  // namespace flipstorm
