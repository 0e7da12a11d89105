#pragma once
// The scale of the fault-free network's values. No LibTorch here.

#include <vector>

#include "engine/compute/device.hpp"
#include "engine/data/dataset.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/**
 * Standard deviation of each channel of some nodes' values over the first kSpreadImages images, by node id:
 * the scale on which the screen calls a change small. Empty for the other nodes.
 */
[[nodiscard]] std::vector<std::vector<float>> channel_spread(const Network& network, Device device,
                                                             const std::vector<NodeId>& nodes,
                                                             const ImageSet& set);

}  // namespace flipstorm
