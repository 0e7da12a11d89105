#include "engine/network/operations/add.hpp"

#include <fmt/ranges.h>

namespace flipstorm
{

Shape AddOp::shape(const NodeCheck& node) const
{
    node.expect_inputs(2);
    node.expect(*node.inputs[0] == *node.inputs[1],
                fmt::format("adds shapes {} and {}", *node.inputs[0], *node.inputs[1]));
    return *node.inputs[0];
}

}  // namespace flipstorm
