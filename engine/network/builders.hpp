#pragma once
// Built-in architectures.

#include <cstdint>
#include <string>

#include "engine/network/network.hpp"

namespace flipstorm
{

/**
 * A network of a built-in architecture with fresh parameters.
 *
 * "lenet5": conv1 6@5×5 pad 2, max-pool 2, conv2 16@5×5, max-pool 2, fc1 120, fc2 84, fc3 classes, ReLU;
 * 61,706 parameters for 1×28×28 images and 10 classes. LeCun et al., 1998, in the form usual today.
 *
 * Parameters start as in PyTorch: uniform on ±1/√fan_in, from a Philox stream per tensor.
 *
 * \param input_shape  C, H, W
 * \throws JobError for an unknown architecture; DataError if the images do not fit it.
 */
Network build_network(const std::string& arch, NumberFormat format, const Shape& input_shape,
                      std::int32_t num_classes, const Normalisation& normalisation, std::uint64_t seed);

}  // namespace flipstorm
