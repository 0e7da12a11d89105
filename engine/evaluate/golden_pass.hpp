#pragma once
// The fault-free network on a tile of images: values, and the gradients of the margins that the screen asks
// for. Internal to the engine: this header brings in LibTorch.

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "engine/compute/torch/executor.hpp"

namespace flipstorm
{

/// Rivals of the top class whose margin's gradient is taken, the nearest ones, at most: few for a
/// convolution, where gradients are large and rivals move together; as good as all for a neuron, which may
/// move one logit alone.
constexpr std::int64_t kRivals = 2;
constexpr std::int64_t kNeuronRivals = 16;

/// Number of rivals whose gradient a golden pass takes for a faulty layer.
std::int64_t rivals_of(const Graph& graph, NodeId layer);

/// The rivals without a gradient are taken to move at most so many times as far as those with one.
constexpr float kOtherRivals = 2;

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
    std::vector<float> certain;  ///< margin over the second largest logit, less the room for rounding. [tile]

    /// ∂(z_top − z_rival)/∂value for the nearest rivals, [rivals][tile, …].
    std::vector<std::vector<torch::Tensor>> gradients;
    std::int64_t rivals = 0;
    std::vector<float> margins;  ///< over each of those rivals, [tile][rivals]
    std::vector<float> rest;     ///< over the nearest of the other rivals; infinity if there is none. [tile]
};

/// Run the fault-free network on normalised images [tile, C, H, W].
GoldenPass golden_pass(const Executor& executor, const torch::Tensor& images, const GoldenRequest& request);

/**
 * Standard deviation of each channel of some nodes' values over some images, by node id: the scale on which
 * the screen calls a change small. Empty for the other nodes.
 */
std::vector<std::vector<float>> channel_spread(const Executor& executor, const std::vector<NodeId>& nodes,
                                               const torch::Tensor& images);

}  // namespace flipstorm
