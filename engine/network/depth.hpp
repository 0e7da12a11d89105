#pragma once
// How deep in the network a node lies.

#include <cstdint>
#include <vector>

#include "engine/network/graph.hpp"

namespace flipstorm
{

/// Convolutions and linear layers on the longest way from the input to each node, itself included. [nodes]
[[nodiscard]] std::vector<std::int32_t> weighted_depth(const Graph& graph);

}  // namespace flipstorm
