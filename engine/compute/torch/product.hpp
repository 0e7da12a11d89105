#pragma once
// What convolutions and linear layers share with LibTorch.

#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{

/// Weights [outputs, inputs per group, taps] as [C_in, outputs per group, taps].
[[nodiscard]] torch::Tensor weights_by_channel(const torch::Tensor& weight, std::int64_t groups);

/// temporary_floats() of a product. \param frame  rows and columns of zeros around its input, in all
[[nodiscard]] std::int64_t product_floats(const ChangeFloats& floats, std::int64_t frame);

}  // namespace flipstorm
