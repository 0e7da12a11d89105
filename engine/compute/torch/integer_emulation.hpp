#pragma once
// Networks of whole numbers on LibTorch, on any device, with the bits of the native kernels: codes are held
// as float32, multiplied and summed in float64, which is exact below 2^53, and rescaled in int64. Internal to
// the engine: this header brings in LibTorch.

#include <string>
#include <vector>

#include "engine/compute/integer/integer_network.hpp"
#include "engine/compute/torch/executor.hpp"

namespace flipstorm
{

/// Why LibTorch cannot compute a network of whole numbers exactly; empty if it can.
[[nodiscard]] std::string emulation_obstacle(const Network& network);

/// What a node computes with, on a device; which tensors are there, its operation says.
struct EmulatedNode
{
    torch::Tensor weights;  ///< float64, as the operation has them
    torch::Tensor bias;     ///< int64 [outputs]
    std::vector<torch::Tensor>
        factor;  ///< int64, by Rescale: one with a value for each channel, or one of each input
    std::vector<torch::Tensor> offset;  ///< half of the last place included
    std::vector<torch::Tensor> shift;
    torch::Tensor table;  ///< int64
    std::int64_t ceiling = 0;
    CodeLimits limits;
};

/// Thread-safe once made.
class IntegerEmulation
{
  public:
    /// \throws JobError if integer_obstacle() or emulation_obstacle() says so
    IntegerEmulation(const Network& network, torch::Device device);

    [[nodiscard]] const IntegerNetwork& network() const { return network_; }
    [[nodiscard]] const EmulatedNode& node(NodeId id) const { return nodes_[index(id)]; }
    [[nodiscard]] torch::Device device() const { return device_; }

    /// A node with other parameters. \param weights  instead of the lowered node's, if defined
    [[nodiscard]] EmulatedNode emulated(NodeId id, const IntegerNode& node,
                                        const torch::Tensor& weights) const;

    /// Codes of all values, by node. \param images  normalised, [N, C, H, W] \param other  in place of the
    /// node `at`, or null
    [[nodiscard]] std::vector<torch::Tensor> values(const torch::Tensor& images, NodeId at = NodeId(-1),
                                                    const EmulatedNode* other = nullptr) const;

    /// Codes of a node's value from its inputs'.
    [[nodiscard]] torch::Tensor compute(NodeId id, const std::vector<torch::Tensor>& values,
                                        const EmulatedNode& node) const;

    /// Compute the listed nodes in order. \param values  by node, changed \returns the logits, [N, classes]
    /// on the CPU
    [[nodiscard]] torch::Tensor resume(std::vector<torch::Tensor>& values,
                                       const std::vector<NodeId>& nodes) const;

    [[nodiscard]] torch::Tensor logits(const torch::Tensor& codes) const;

    /// Of weights and tables.
    [[nodiscard]] std::uint64_t bytes() const;

    /// Of all values of an image, and of what the widest of them is computed with.
    [[nodiscard]] std::uint64_t image_bytes() const;

  private:
    IntegerNetwork network_;
    torch::Device device_;
    std::vector<EmulatedNode> nodes_;
};

}  // namespace flipstorm
