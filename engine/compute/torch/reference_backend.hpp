#pragma once
// The whole network for one change: the oracle. Internal to the engine: this header brings in LibTorch.

#include "engine/compute/backend.hpp"
#include "engine/compute/torch/executor.hpp"

namespace flipstorm
{

/// Logits of the whole network with one weight changed. [images, classes], on the CPU
[[nodiscard]] torch::Tensor faulty_logits(const Executor& executor, const InjectableLayer& layer,
                                          const WeightChange& change, const torch::Tensor& images);

/// Multiply-accumulate operations of the whole network.
[[nodiscard]] double macs_of_image(const Graph& graph);

}  // namespace flipstorm
