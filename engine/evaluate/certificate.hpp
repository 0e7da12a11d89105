#pragma once
// A proof that a change is harmless: a bound on how far the logits can move, whatever the image. Each
// operation says by how much it stretches distances at most (Gain): convolutions, linear layers and batch
// norms by their spectral norms; behind one that knows no bound nothing is proven.

#include <vector>

#include "engine/network/change_flow.hpp"
#include "engine/network/network.hpp"
#include "engine/network/value_form.hpp"

namespace flipstorm
{

/**
 * By channel of a layer's output: how far the difference of any two logits moves at most, per unit of
 * Euclidean length of a change of that channel. In exact arithmetic; see kCertificateSlack.
 *
 *     |Δ(z_a − z_b)| ≤ gain[channel] · ‖Δy_channel‖₂
 *
 * The sum over all paths of the products of the operations' Lipschitz constants; the norm of a convolution is
 * bounded by ⌈kernel / stride⌉ times that of its weights as a matrix [out, in·kernel²], because an input
 * element is in at most ⌈kernel / stride⌉² windows (Conv2dOp::window_overlap); a spectral norm by the
 * Frobenius norm of a power of the Gram matrix.
 */
class LogitGains
{
  public:
    explicit LogitGains(const Network& network);

    [[nodiscard]] std::vector<double> of_layer(const ChangeFlow& flow, NodeId layer);

  private:
    [[nodiscard]] double of_channel(NodeId consumer, const ChangeFlow& flow, NodeId changed,
                                    std::int64_t channel, const std::vector<std::vector<double>>& known);
    [[nodiscard]] double of_whole(NodeId id);
    void reckon_whole();
    [[nodiscard]] WeightedNode weighted(const Node& node, NodeId input) const;

    Network network_;
    std::vector<std::vector<NodeId>> consumers_;
    std::vector<ValueForm> forms_;
    std::vector<double> whole_;  ///< by node: gain of a change of all its channels; empty until needed
};

}  // namespace flipstorm
