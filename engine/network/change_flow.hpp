#pragma once
// How a change of one channel of one layer spreads through the graph: which nodes change, whether in one
// channel or in all, and where the whole change passes through one node.

#include <cstdint>
#include <vector>

#include "engine/network/graph.hpp"

namespace flipstorm
{

/// The way of a change from a layer to the logits.
struct ChangeFlow
{
    std::vector<Extent> extent;       ///< by node
    std::vector<std::int64_t> shift;  ///< by node of extent `channel`: its channel minus the faulty one
    std::vector<NodeId> nodes;        ///< behind the layer, that change, in order
    std::vector<bool> cut;            ///< by node: everything behind it changes through this node alone

    /// Cuts where a first-order estimate says something new: behind a non-linear operation, before the change
    /// spreads to more channels. In order; without the layer itself.
    std::vector<NodeId> checkpoints;
};

/// Flow of a change of one output channel of a convolution or linear layer.
ChangeFlow change_flow(const Graph& graph, NodeId layer);

}  // namespace flipstorm
