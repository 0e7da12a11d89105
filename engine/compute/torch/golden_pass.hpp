#pragma once
// The fault-free network on a tile of images: values, and the gradients of the margins that the screen asks
// for. Internal to the engine: this header brings in LibTorch.

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "engine/compute/margins.hpp"
#include "engine/compute/torch/executor.hpp"

namespace flipstorm
{

/// What a golden pass is to keep.
struct GoldenRequest
{
    NodeId layer;                   ///< the faulty layer: gradients start here
    std::vector<NodeId> values;     ///< nodes whose value is kept
    std::vector<NodeId> gradients;  ///< nodes that depend on the layer, or itself; empty: no gradients
};

/// Values and gradients of a tile, by node id; undefined where not asked for.
struct GoldenPass
{
    std::vector<torch::Tensor> values;  ///< [tile, …]
    torch::Tensor logits;               ///< on the CPU, contiguous, [tile, classes]
    TileMargins margins;                ///< of the rivals with gradients where there are gradients

    /// ∂(z_top − z_rival)/∂value for the nearest rivals, [rivals][tile, …].
    std::vector<std::vector<torch::Tensor>> gradients;
};

/// Run the fault-free network on normalised images [tile, C, H, W].
GoldenPass golden_pass(const Executor& executor, const torch::Tensor& images, const GoldenRequest& request);

}  // namespace flipstorm
