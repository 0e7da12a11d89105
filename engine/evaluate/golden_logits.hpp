#pragma once
// What the fault-free network says of all test images, once. Internal to the engine: this header brings in
// LibTorch.

#include <torch/torch.h>

#include <cstdint>

#include "engine/compute/torch/executor.hpp"
#include "engine/evaluate/outcome.hpp"

namespace flipstorm
{

/// \throws DataError unless there are images, of the network's shape, and two classes.
void check_test_images(const Network& network, const ImageSet& images);

/// Logits of the fault-free network, in data-set order, on the CPU, contiguous; of every `parts`-th batch
/// from `part` on, the others are zero. [images, classes]
torch::Tensor golden_logits(const Executor& executor, const Network& network, const ImageSet& images,
                            std::int64_t batch, int threads, std::int64_t part = 0, std::int64_t parts = 1);

/// Predictions and margins. \throws DataError if a logit is not finite.
Golden golden_of(const torch::Tensor& logits, const std::vector<std::int32_t>& labels);

}  // namespace flipstorm
