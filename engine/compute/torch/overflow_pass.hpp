#pragma once
// The pairs in which a sum may overflow, with LibTorch's own operations from the faulty layer on, as mode
// `reference` computes them; pairs of many faults side by side. Internal to the engine: this header brings in
// LibTorch.

#include <vector>

#include "engine/compute/backend.hpp"
#include "engine/compute/torch/executor.hpp"
#include "engine/network/change_flow.hpp"

namespace flipstorm
{

/// Golden values of a tile from which what lies behind a layer can be computed.
struct SuffixGolden
{
    std::vector<torch::Tensor>
        values;           ///< by node: suffix_starts() of the layer, laid out as a golden pass does
    torch::Tensor input;  ///< of the layer, contiguous, [tile, C, H, W] or [tile, features]

    NodeId restart;     ///< a node behind the layer that its whole change passes, or the layer
    NodeId held;        ///< the restart, or the input that it is computed from
    torch::Tensor map;  ///< value of `held`, contiguous, [tile, C, H, W]; undefined for the layer
    std::vector<std::int64_t> restart_strides;  ///< of the restart's value in a golden pass
};

/// A layer, and the unchanged values that what lies behind it reads.
[[nodiscard]] std::vector<NodeId> suffix_starts(const Graph& graph, const ChangeFlow& flow, NodeId layer);

/**
 * Compute the pairs of a group in which a sum may overflow, dense, with LibTorch's operations from where the
 * first sum is, each in its image's row of the tile; logits go to policy.at_logits().
 *
 * \param images  normalised, [tile, C, H, W]
 * \param weights  of the layer, golden
 * \param golden  null: computed where it is needed
 * \returns multiply-accumulate operations done
 */
double overflow_pass(const Executor& executor, const InjectableLayer& layer, const ChangeGroup& group,
                     const torch::Tensor& images, const std::vector<float>& weights,
                     const std::vector<OverflowingPair>& pairs, const SuffixGolden* golden,
                     PairPolicy& policy);

}  // namespace flipstorm
