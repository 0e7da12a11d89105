#pragma once
// A group of faults of one layer as tensors on the device. Internal to the engine: this header brings in
// LibTorch.

#include <vector>

#include "engine/compute/torch/libtorch_tile.hpp"

namespace flipstorm
{

struct LibtorchFaults
{
    std::vector<float> change;  ///< faulty minus golden weight, on the host
    bool any_huge = false;      ///< among the changes
    torch::Tensor weight;       ///< faulty weight's index, [faults]
    torch::Tensor channel;      ///< faulty output channel, [faults]
    torch::Tensor element;      ///< of the input, flat: what a weight meets, [faults]
    torch::Tensor input;        ///< its input channel, [faults]
    torch::Tensor row;          ///< within the kernel, [faults]
    torch::Tensor column;       ///< within the kernel, [faults]
    torch::Tensor delta;        ///< `change`, [faults]
    torch::Tensor huge;         ///< whether that is huge, [faults]

    /// \param weights  of the layer, golden
    LibtorchFaults(const LayerGeometry& geometry, const ChangeGroup& group, const std::vector<float>& weights,
                   torch::Device device);

    [[nodiscard]] std::int64_t size() const { return delta.size(0); }
};

}  // namespace flipstorm
