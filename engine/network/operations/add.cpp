#include "engine/network/operations/add.hpp"

#include <fmt/ranges.h>

#include <algorithm>

namespace flipstorm
{

Shape AddOp::shape(const NodeCheck& node) const
{
    node.expect_inputs(2);
    node.expect(*node.inputs[0] == *node.inputs[1],
                fmt::format("adds shapes {} and {}", *node.inputs[0], *node.inputs[1]));
    return *node.inputs[0];
}

Spread AddOp::spread(const ChangedInputs& inputs) const
{
    const Spread& first = inputs.spread[0];
    const Spread& second = inputs.spread[1];
    if (first.extent == Extent::none) return second;
    if (second.extent == Extent::none) return first;
    const bool same =
        first.extent == Extent::channel && second.extent == Extent::channel && first.shift == second.shift;
    return same ? first : Spread{Extent::everything, 0};
}

std::int64_t AddOp::changed_channels(const ChangedCounts& inputs) const
{
    return std::min(inputs.shape[0], inputs.count[0] + inputs.count[1]);
}

}  // namespace flipstorm
