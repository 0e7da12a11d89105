#pragma once
// Evaluates a network graph with LibTorch. Internal to the engine: this header brings in LibTorch.

#include <torch/torch.h>

#include <cstddef>
#include <functional>
#include <vector>

#include "engine/compute/device.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// What a training changes in the forward pass. Empty functions change nothing. Of a node's value, images
/// included: first `computed`, then `layer_output`, then `value`.
struct TrainingHooks
{
    /// What stands for the parameters of a convolution or linear layer. \param own  its own ones
    std::function<std::vector<torch::Tensor>(NodeId, const torch::Tensor* own)> parameters;

    /// Called with each value.
    std::function<void(NodeId, const torch::Tensor&)> computed;

    /// Called with the value of each convolution and linear layer, which it may change in place.
    std::function<void(NodeId, const torch::Tensor&)> layer_output;

    /// What stands for each value, for all that read it.
    std::function<torch::Tensor(NodeId, const torch::Tensor&)> value;

    /// Computes a batch norm in training from input and parameters (weight, bias, running mean, running
    /// variance), whose running statistics it moves.
    std::function<torch::Tensor(const torch::Tensor& input, const torch::Tensor* parameters, double momentum,
                                double epsilon)>
        batch_norm;
};

/**
 * The graph with its parameters as tensors on a device.
 *
 * Copies share the tensors; `set_parameter` on a copy leaves the original as it is, which is how a fault is
 * tried. The const members may be called from several threads.
 *
 * Of a network that computes in whole numbers the values are floats that read as these, rounded as
 * fake_quantise() does, with its gradient: near what the network computes, and differentiable.
 */
class Executor
{
  public:
    /// On a CPU, the tensors share the network's values: see `own_parameters`.
    Executor(const Network& network, torch::Device device);

    /// Logits [N, classes] of normalised images [N, C, H, W].
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& images) const;

    /**
     * Logits while training: batch norms use mean and variance of the batch and move their running statistics
     * towards them (momentum 0.1, the unbiased variance), as PyTorch's do. Not to be called from several
     * threads, and only with
     * parameters of its own.
     *
     * \throws DataError if a batch norm gets only one value per channel: it has no variance.
     */
    [[nodiscard]] torch::Tensor forward_training(const torch::Tensor& images,
                                                 const TrainingHooks& hooks = {});

    /**
     * Values of some nodes, by node id, for normalised images [N, C, H, W]; the others are left undefined,
     * and only what the wanted ones depend on is computed.
     */
    [[nodiscard]] std::vector<torch::Tensor> forward_to(const torch::Tensor& images,
                                                        const std::vector<NodeId>& wanted) const;

    /**
     * Logits from the middle: compute the listed nodes in order and return the last node's value.
     *
     * \param values  by node id; must hold every input of the listed nodes that is not listed itself
     */
    [[nodiscard]] torch::Tensor resume(std::vector<torch::Tensor> values,
                                       const std::vector<NodeId>& nodes) const;

    /**
     * Compute the listed nodes in order; of their values and inputs, only the wanted ones are kept.
     *
     * \param training  not null: batch norms use and gather the batch's statistics
     */
    [[nodiscard]] std::vector<torch::Tensor> compute(std::vector<torch::Tensor> values,
                                                     const std::vector<NodeId>& nodes,
                                                     const std::vector<NodeId>& wanted,
                                                     const TrainingHooks* training = nullptr) const;

    /// Value of one node from its inputs.
    [[nodiscard]] torch::Tensor apply(NodeId id, const std::vector<torch::Tensor>& inputs) const;

    /// Parameter tensors in the order of Network::parameters.
    [[nodiscard]] const std::vector<torch::Tensor>& parameters() const { return parameters_; }
    /// The first parameter of a node.
    [[nodiscard]] const torch::Tensor* parameters_of(NodeId id) const
    {
        return parameters_.data() + first_parameter_[index(id)];
    }
    void set_parameter(std::size_t index, torch::Tensor value) { parameters_.at(index) = std::move(value); }

    /// Give the executor parameters of its own, which a training may change in place.
    void own_parameters();
    [[nodiscard]] torch::Device device() const { return device_; }
    /// Bytes of parameters that are not the network's own values.
    [[nodiscard]] std::uint64_t bytes() const;
    [[nodiscard]] const Graph& graph() const { return graph_; }

    /// Copy the parameter values back into a network of the same graph.
    void store(Network& network) const;

  private:
    /// Value of one node from its inputs; in training, batch norms use and gather the batch's statistics.
    [[nodiscard]] torch::Tensor apply(NodeId id, const std::vector<torch::Tensor>& inputs,
                                      const TrainingHooks* training) const;

    /// A node's value as others read it.
    [[nodiscard]] torch::Tensor finished(NodeId id, torch::Tensor value, const TrainingHooks* training) const;

    Graph graph_;
    std::vector<StoredActivation> activations_;  ///< by node; empty: values are floats
    torch::Device device_;
    std::vector<torch::Tensor> parameters_;
    bool owns_parameters_ = false;
    std::vector<std::size_t> first_parameter_;  ///< by node id: index of its first parameter
};

/// The device as LibTorch names it.
torch::Device torch_device(Device device);

/// Normalised images [indices, C, H, W] on a device.
torch::Tensor image_batch(const ImageSet& images, const std::vector<std::int64_t>& indices,
                          const Normalisation& normalisation, torch::Device device);

}  // namespace flipstorm
