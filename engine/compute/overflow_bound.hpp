#pragma once
// Where a sum may leave the finite numbers. Whether it then ends as an infinity, as NaN or as a number hangs
// on the order of its terms, which differs between the ways to evaluate a fault: what may overflow is
// computed as mode `reference` computes it.

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "engine/network/network.hpp"

namespace flipstorm
{

/// From this value or change of a weight on, sums may overflow behind it.
constexpr float kLargeWeight = 1e18F;

/// Whether a value is as large as none of an intact network is, kLargeWeight or more, or not finite: a cheap
/// question that spares all other faults the look at their sums.
[[nodiscard]] inline bool is_huge(float value)
{
    return !(std::fabs(value) < kLargeWeight);
}

/// Where both factors of a product change, its change is the sum of two terms that may cancel: larger changes
/// than this are computed as mode `reference` does.
constexpr float kLargestFactor = 4096;

/// Changes that no partial sum exceeds are safe: what is left has room for the golden values and for
/// rounding.
constexpr float kSafeMagnitude = std::numeric_limits<float>::max() / 4;

/**
 * How far the partial sums of an operation go, in any order, per unit of the largest magnitude of its inputs:
 *
 *     |Σ_{i ∈ any subset} w_i x_i| ≤ max_i |x_i| · Σ_i |w_i|
 *
 * the largest row sum of |w| of a convolution or linear layer, the largest factor of a batch norm (or of its
 * division by the standard deviation), the elements of an averaging window, 2 for a sum of two, 1.0999 for
 * SiLU, infinity for a product of two values, else 1. Biases and golden values are what kSafeMagnitude leaves
 * room for. Thread-safe.
 */
class OverflowBound
{
  public:
    explicit OverflowBound(const Network& network);

    /// If any input element changes.
    [[nodiscard]] double of_whole(NodeId node) const { return bounds_[index(node)].sums; }

    /// If one input channel changes; of a linear layer behind a flattened map, all pixels of the channel.
    [[nodiscard]] double of_channel(NodeId node, std::int64_t channel) const
    {
        const SumBound& bound = bounds_[index(node)];
        return bound.by_channel.empty() ? bound.sums : bound.by_channel[static_cast<std::size_t>(channel)];
    }

    /// The farthest that a sum in the listed nodes goes, per unit of the largest change of the start's value.
    /// \param nodes  behind the start, in order; what else they read does not change
    [[nodiscard]] double through(NodeId start, const std::vector<NodeId>& nodes) const;

  private:
    Graph graph_;
    std::vector<SumBound> bounds_;  ///< by node
};

}  // namespace flipstorm
