#pragma once
// Quantisation-aware training: the forward pass of floats that answers as the stored network would, and the
// ranges that it learns of its values. Internal to the engine: this header brings in LibTorch.

#include <torch/torch.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/compute/torch/executor.hpp"
#include "engine/network/network_format.hpp"

namespace flipstorm
{

/**
 * Largest magnitudes of each image's values of a node: [images].
 *
 * \param positive_part  of a node that ReLUs alone read: negative values do not count
 */
[[nodiscard]] torch::Tensor magnitudes(const torch::Tensor& value, bool positive_part);

/// What the range of a node is, in its largest magnitude: 2 of the output if its bits are doubled, so that
/// logits larger than any before do not saturate and tie; else 1.
[[nodiscard]] float headroom(const Graph& graph, NodeId node);

/**
 * Fake quantisation in training after Jacob et al., CVPR 2018: see fake_quantise().
 *
 * Weights and biases of convolutions and linear layers are quantised throughout, values of networks of whole
 * numbers when the step says so and once their node has a range. Scales follow from ranges of the steps
 * before. With the largest magnitude of a batch, over all ranks,
 *
 *     range ← max(magnitude, 0.9 · range + 0.1 · magnitude):
 *
 * a moving average that follows growing values at once, or a layer that saturates would get no gradient.
 * Batch norms normalise floats and learn from them; their parameters stay as they are.
 */
class QuantisedForward
{
  public:
    /// \throws JobError as check_choice
    QuantisedForward(const FormatChoice& choice, const Graph& graph);
    QuantisedForward(const QuantisedForward&) = delete;
    QuantisedForward& operator=(const QuantisedForward&) = delete;

    /// Have a forward pass call this object, which must outlive the hooks.
    void attach(TrainingHooks& hooks);

    /// Whether values are quantised, too.
    [[nodiscard]] bool learns_ranges() const { return choice_.in_integers(); }

    /**
     * Before a forward pass.
     *
     * \param quantises_values  with the ranges that there are
     * \param learn_from  places, in this rank's part of the batch, of the images whose values count for the
     * ranges; nothing: of all images
     */
    void begin(bool quantises_values, const std::optional<std::vector<std::int64_t>>& learn_from);

    /// After it: append [ranks, nodes] floats, this rank's magnitudes in its row and 0 elsewhere. The sum
    /// over the ranks has those of all.
    void append_magnitudes(std::vector<float>& to, int rank, int ranks) const;

    /// Learn from such sums.
    void learn(const float* magnitudes, int ranks);

    /// By node; 0: nothing was seen, or the node has no scale of its own. Empty where none are learnt.
    [[nodiscard]] const std::vector<float>& ranges() const { return ranges_; }
    /// \pre as many
    void set_ranges(std::vector<float> ranges);

  private:
    [[nodiscard]] std::vector<torch::Tensor> stored_parameters(NodeId id, const torch::Tensor* own) const;
    void see(NodeId id, const torch::Tensor& value);
    [[nodiscard]] torch::Tensor quantised(NodeId id, const torch::Tensor& value) const;

    FormatChoice choice_;
    Graph graph_;
    std::vector<bool> positive_part_;  ///< by node: see read_by_relus_alone()
    std::vector<float> ranges_;
    std::vector<StoredActivation> activations_;  ///< that follow from the ranges
    bool quantises_values_ = false;
    std::optional<std::vector<std::int64_t>> learn_from_;
    std::vector<torch::Tensor> seen_;  ///< by node: the largest magnitude, on the device
};

}  // namespace flipstorm
