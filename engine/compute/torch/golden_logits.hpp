#pragma once
// What the fault-free network says of all test images, once. No LibTorch here.

#include <cstdint>
#include <vector>

#include "engine/compute/device.hpp"
#include "engine/data/dataset.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// Logits of the fault-free network, row-major, in data-set order; of every `parts`-th batch from `part` on,
/// the others are zero. [images, classes]
[[nodiscard]] std::vector<float> golden_logits(const Network& network, const ImageSet& images, Device device,
                                               std::int64_t batch, int threads, std::int64_t part = 0,
                                               std::int64_t parts = 1);

}  // namespace flipstorm
