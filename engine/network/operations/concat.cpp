#include "engine/network/operations/concat.hpp"

#include <fmt/ranges.h>

#include <numeric>

namespace flipstorm
{

Shape ConcatOp::shape(const NodeCheck& node) const
{
    node.expect(node.inputs.size() >= 2, fmt::format("has {} inputs, needs two or more", node.inputs.size()));
    Shape shape = *node.inputs[0];
    node.expect(shape.size() == 3, fmt::format("its input has shape {}, it needs [C, H, W]", shape));
    for (std::size_t i = 1; i < node.inputs.size(); ++i)
    {
        const Shape& next = *node.inputs[i];
        node.expect(next.size() == 3 && next[1] == shape[1] && next[2] == shape[2],
                    fmt::format("joins shapes {} and {}, which must agree in all but the channels",
                                *node.inputs[0], next));
        shape[0] += next[0];
    }
    return shape;
}

/// A change goes to where its input lies in the value; an input that is read twice, to two places.
Spread ConcatOp::spread(const ChangedInputs& inputs) const
{
    std::int64_t before = 0;
    Spread result;
    for (std::size_t i = 0; i < inputs.spread.size(); ++i)
    {
        const Spread& input = inputs.spread[i];
        if (input.extent != Extent::none)
        {
            if (result.extent != Extent::none || input.extent == Extent::everything)
                return {Extent::everything, 0};
            result = {Extent::channel, input.shift + before};
        }
        before += (*inputs.shape[i])[0];
    }
    return result;
}

std::int64_t ConcatOp::changed_channels(const ChangedCounts& inputs) const
{
    return std::accumulate(inputs.count.begin(), inputs.count.end(), std::int64_t{0});
}

}  // namespace flipstorm
