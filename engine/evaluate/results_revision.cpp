#include "engine/evaluate/results_revision.hpp"

#include <algorithm>

namespace flipstorm
{

int results_revision(const Graph& graph)
{
    const auto reads_twice = [](const Node& node) {
        std::vector<NodeId> inputs = node.inputs;
        std::sort(inputs.begin(), inputs.end());
        return std::adjacent_find(inputs.begin(), inputs.end()) != inputs.end();
    };
    return std::any_of(graph.nodes().begin(), graph.nodes().end(), reads_twice) ? 1 : 0;
}

bool may_overflow(float value_before, float value_after)
{
    return is_huge(value_after) || is_huge(value_after - value_before);
}

}  // namespace flipstorm
