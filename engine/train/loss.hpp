#pragma once
// Loss functions on tensors. Internal to the engine: this header brings in LibTorch.

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "engine/data/dataset.hpp"
#include "engine/train/options.hpp"

namespace flipstorm
{

/// Labels of some images, int64 [indices], on a device.
[[nodiscard]] torch::Tensor label_batch(const ImageSet& images, const std::vector<std::int64_t>& indices,
                                        torch::Device device);

/// Mean loss of logits [N, classes] against labels int64 [N]; N ≥ 1. See Loss.
[[nodiscard]] torch::Tensor mean_loss(Loss loss, const torch::Tensor& logits, const torch::Tensor& labels);

}  // namespace flipstorm
