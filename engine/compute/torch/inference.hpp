#pragma once
// What a network says about images, as plain arrays: the interface of LibTorch's forward pass for code
// without it.

#include <vector>

#include "engine/compute/device.hpp"
#include "engine/data/dataset.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// Logits [images, classes], row-major, in data-set order; they may be NaN or infinite.
[[nodiscard]] std::vector<float> logits_of(const Network& network, const ImageSet& images, Device device);

}  // namespace flipstorm
