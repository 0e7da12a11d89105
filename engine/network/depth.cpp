#include "engine/network/depth.hpp"

#include <algorithm>

namespace flipstorm
{

std::vector<std::int32_t> weighted_depth(const Graph& graph)
{
    std::vector<std::int32_t> depth;
    for (const Node& node : graph.nodes())
    {
        std::int32_t longest = 0;
        for (const NodeId input : node.inputs)
            longest = std::max(longest, depth.at(static_cast<std::size_t>(input.value())));
        const bool weighted = std::holds_alternative<Conv2dOp>(node.operation) ||
                              std::holds_alternative<LinearOp>(node.operation);
        depth.push_back(longest + (weighted ? 1 : 0));
    }
    return depth;
}

}  // namespace flipstorm
