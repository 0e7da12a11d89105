#include "engine/network/layer_suffix.hpp"

#include <algorithm>

#include "engine/network/change_flow.hpp"

namespace flipstorm
{
namespace
{

/// Inputs of the nodes that do not depend on the layer, each once, in order.
std::vector<NodeId> sides_of(const Graph& graph, const std::vector<NodeId>& nodes,
                             const std::vector<bool>& reached)
{
    std::vector<NodeId> sides;
    for (const NodeId id : nodes)
    {
        for (const NodeId input : graph.node(id).inputs)
        {
            if (!reached[static_cast<std::size_t>(input.value())]) sides.push_back(input);
        }
    }
    std::sort(sides.begin(), sides.end());
    sides.erase(std::unique(sides.begin(), sides.end()), sides.end());
    return sides;
}

}  // namespace

std::vector<NodeId> nodes_behind(const Graph& graph, NodeId node)
{
    std::vector<NodeId> nodes;
    const std::vector<bool> reached = graph.reachable_from(node);
    for (std::int32_t i = node.value() + 1; i <= graph.output().value(); ++i)
    {
        if (reached[static_cast<std::size_t>(i)]) nodes.emplace_back(i);
    }
    return nodes;
}

LayerSuffix layer_suffix(const Graph& graph, NodeId layer)
{
    LayerSuffix suffix;
    suffix.layer = suffix.cut = layer;
    const std::vector<bool> reached = graph.reachable_from(layer);
    // The nodes stand in topological order: all paths pass a node if no edge leads past it.
    const std::vector<NodeId> behind = nodes_behind(graph, layer);
    const auto is_cut = [&](NodeId candidate) {
        return std::none_of(behind.begin(), behind.end(), [&](NodeId id) {
            const std::vector<NodeId>& inputs = graph.node(id).inputs;
            return candidate < id && std::any_of(inputs.begin(), inputs.end(), [&](NodeId input) {
                       return reached[static_cast<std::size_t>(input.value())] && input < candidate;
                   });
        });
    };
    for (const NodeId id : behind)
    {
        if (is_product(graph.node(id).operation)) break;
        if (is_cut(id)) suffix.cut = id;
    }
    for (const NodeId id : behind)
        (suffix.cut < id ? suffix.far_nodes : suffix.near_nodes).push_back(id);
    suffix.near_sides = sides_of(graph, suffix.near_nodes, reached);
    suffix.far_sides = sides_of(graph, suffix.far_nodes, reached);
    return suffix;
}

}  // namespace flipstorm
