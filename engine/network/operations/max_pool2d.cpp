#include "engine/network/operations/max_pool2d.hpp"

#include <fmt/format.h>

namespace flipstorm
{

Shape MaxPool2dOp::shape(const NodeCheck& node) const
{
    const Shape& in = node.image();
    const Shape out{in[0], node.windows(in[1], kernel, stride, padding),
                    node.windows(in[2], kernel, stride, padding)};
    // Any more, and a window could lie in the padding alone.
    node.expect(padding <= kernel / 2,
                fmt::format("padding {} is more than half of its kernel, {}", padding, kernel));
    return out;
}

}  // namespace flipstorm
