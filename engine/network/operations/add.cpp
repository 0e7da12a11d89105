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

std::int64_t AddOp::changed_channels(const ChangedCounts& inputs) const
{
    return std::min(inputs.shape[0], inputs.count[0] + inputs.count[1]);
}

}  // namespace flipstorm
