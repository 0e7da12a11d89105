#include "engine/network/operations/node_check.hpp"

#include <fmt/ranges.h>

#include "engine/base/error.hpp"

namespace flipstorm
{

void NodeCheck::expect(bool holds, const std::string& what) const
{
    FS_CHECK(DataError, holds, "node '{}': {}", name, what);
}

void NodeCheck::expect_inputs(std::size_t count) const
{
    expect(inputs.size() == count, fmt::format("has {} inputs, needs {}", inputs.size(), count));
}

const Shape& NodeCheck::input() const
{
    expect_inputs(1);
    return *inputs[0];
}

const Shape& NodeCheck::image() const
{
    const Shape& shape = input();
    expect(shape.size() == 3, fmt::format("its input has shape {}, it needs [C, H, W]", shape));
    return shape;
}

std::int64_t NodeCheck::windows(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                                std::int64_t padding, std::int64_t dilation) const
{
    expect(
        kernel > 0 && stride > 0 && stride <= kLargestPadding && padding >= 0 && padding <= kLargestPadding,
        fmt::format("kernel {}, stride {}, padding {}", kernel, stride, padding));
    expect(dilation == 1 || (dilation > 0 && dilation <= kLargestPadding && kernel <= kLargestPadding),
           fmt::format("kernel {}, dilation {}", kernel, dilation));
    const std::int64_t window = (kernel - 1) * dilation + 1;
    expect(size + 2 * padding >= window,
           fmt::format("a window of {} does not fit {} elements padded by {}", window, size, padding));
    return (size + 2 * padding - window) / stride + 1;
}

}  // namespace flipstorm
