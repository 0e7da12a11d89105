#include "engine/compute/overflow_bound.hpp"

#include <algorithm>

#include "engine/network/value_form.hpp"

namespace flipstorm
{

OverflowBound::OverflowBound(const Network& network) : graph_(network.graph)
{
    const std::vector<ValueForm> forms = value_forms(graph_);
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i)
    {
        const Node& node = graph_.nodes()[i];
        const std::int64_t pixels = forms[i == 0 ? 0 : index(node.inputs[0])].pixels();
        const WeightedNode weighted = weighted_node(network, node, pixels);
        bounds_.push_back(std::visit([&](const auto& op) { return op.sum_bound(weighted); }, node.operation));
    }
}

double OverflowBound::through(NodeId start, const std::vector<NodeId>& nodes) const
{
    std::vector<double> size(graph_.nodes().size(), 0.0);
    size[index(start)] = 1;
    double peak = 1;
    for (const NodeId id : nodes)
    {
        double input = 0;
        for (const NodeId in : graph_.node(id).inputs)
            input = std::max(input, size[index(in)]);
        size[index(id)] = bounds_[index(id)].value * input;
        peak = std::max(peak, bounds_[index(id)].sums * input);
    }
    return peak;
}

}  // namespace flipstorm
