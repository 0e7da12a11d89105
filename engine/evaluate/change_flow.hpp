#pragma once
// How a change of one channel of one layer spreads through the graph: which nodes change, whether in one
// channel or in all, and where the whole change passes through one node.

#include <cstdint>
#include <vector>

#include "engine/network/graph.hpp"

namespace flipstorm
{

/// How much of a node's value changes.
enum class Extent
{
    none,
    channel,     ///< one channel (of a linear layer: one neuron)
    everything,  ///< any channel
};

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

/// Whether it is a matrix product with weights, which mixes channels: a convolution or linear layer.
bool is_product(const Operation& operation);

/// Whether a first-order estimate in front of it may be far off behind it: ReLU, ReLU6, max-pool.
bool is_nonlinear(const Operation& operation);

/// Flow of a change of one output channel of a convolution or linear layer.
ChangeFlow change_flow(const Graph& graph, NodeId layer);

/// Nodes that read each node's value. [nodes]
std::vector<std::vector<NodeId>> consumers_of(const Graph& graph);

}  // namespace flipstorm
