#pragma once
// How near the other classes are to the top one in the golden pass: what a change has to overcome.

#include <cstdint>
#include <vector>

#include "engine/network/graph.hpp"

namespace flipstorm
{

/// Rivals of the top class whose margin's gradient is taken, the nearest ones, at most: few for a
/// convolution, where gradients are large and rivals move together; as good as all for a neuron, which may
/// move one logit alone.
constexpr std::int64_t kRivals = 2;
constexpr std::int64_t kNeuronRivals = 16;

/// Number of rivals whose gradient a golden pass takes for a faulty layer.
[[nodiscard]] std::int64_t rivals_of(const Graph& graph, NodeId layer);

/// Room for rounding: a change counts as provably harmless only if it leaves this share of the largest logit
/// of the margin.
constexpr float kCertificateSlack = 1e-4F;

/// Margins of a tile's images in the golden pass.
struct TileMargins
{
    std::vector<float> certain;  ///< over the second largest logit, less the room for rounding. [tile]
    std::int64_t rivals = 0;     ///< whose margins have gradients; 0: no gradients
    std::vector<float> nearest;  ///< over each of those rivals, [tile][rivals]
    std::vector<float> rest;     ///< over the nearest of the other rivals; infinity if there is none. [tile]
};

/// TileMargins::certain. \param logits  [images, classes]
[[nodiscard]] std::vector<float> certain_margins(const float* logits, std::int64_t images,
                                                 std::int64_t classes);

/// The classes that margins are between.
struct Rivals
{
    std::vector<std::int64_t> top;    ///< [images]
    std::vector<std::int64_t> rival;  ///< nearest ones, [images][rivals]
};

/// Find the nearest rivals, and set `margins` but for `certain`. \param logits  [images, classes]
[[nodiscard]] Rivals rank_rivals(const float* logits, std::int64_t images, std::int64_t classes,
                                 std::int64_t rivals, TileMargins& margins);

}  // namespace flipstorm
