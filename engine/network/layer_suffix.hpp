#pragma once
// What lies behind a layer, cut in two: cheap steps that act on values one by one or in small windows, and
// the rest from the next convolution or linear layer on.

#include <vector>

#include "engine/network/graph.hpp"

namespace flipstorm
{

/// Nodes that depend on a layer, in order.
struct LayerSuffix
{
    NodeId layer;
    /// The last node that every path from the layer to the output passes, with no convolution or linear layer
    /// on the way; the layer itself if there is none.
    NodeId cut;
    std::vector<NodeId> near_nodes;  ///< behind the layer, up to and with the cut
    std::vector<NodeId> far_nodes;   ///< behind the cut, up to and with the output
    std::vector<NodeId> near_sides;  ///< inputs of near_nodes that do not depend on the layer
    std::vector<NodeId> far_sides;   ///< inputs of far_nodes that do not depend on the layer
};

/// All nodes that depend on a node, without it, in order. Thread-safe.
[[nodiscard]] std::vector<NodeId> nodes_behind(const Graph& graph, NodeId node);

/// Suffix of a node. Thread-safe.
[[nodiscard]] LayerSuffix layer_suffix(const Graph& graph, NodeId layer);

}  // namespace flipstorm
