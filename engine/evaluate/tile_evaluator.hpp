#pragma once
// What every evaluation mode is behind: a group of changes of one layer over one tile of images. Internal to
// the engine: this header brings in LibTorch.

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/evaluate/evaluator.hpp"
#include "engine/network/executor.hpp"

namespace flipstorm
{

/// Images evaluated together, with what the fault-free network computes for them.
struct Tile
{
    torch::Tensor images;               ///< normalised, [tile, C, H, W]
    std::vector<torch::Tensor> values;  ///< golden value by node id, [tile, …]; undefined where not needed
    std::vector<std::int32_t> label;    ///< [tile]
    std::vector<std::int32_t> top1;     ///< golden, [tile]

    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(label.size()); }
};

/// A contiguous range of changes, and where their tallies go.
struct ChangeGroup
{
    const WeightChange* changes = nullptr;
    Tally* tallies = nullptr;
    std::size_t count = 0;
};

/// One way to find out what changes do to a tile.
class TileEvaluator
{
  public:
    virtual ~TileEvaluator() = default;

    /// Nodes whose golden value a tile must hold to evaluate changes of a layer.
    [[nodiscard]] virtual std::vector<NodeId> golden_nodes(const InjectableLayer& layer) const = 0;

    /// Changes per group for tiles of that many images: fixed by the mode, so that batches do not depend on
    /// threads or ranks.
    [[nodiscard]] virtual std::size_t group_size(std::int64_t tile_images) const = 0;

    /// Bytes of work space that one group of a layer takes, at most.
    [[nodiscard]] virtual std::uint64_t work_bytes(const InjectableLayer& layer,
                                                   std::int64_t tile_images) const = 0;

    /// Tally each change of the group over the tile. Thread-safe.
    virtual void evaluate(const InjectableLayer& layer, const ChangeGroup& group, const Tile& tile) const = 0;
};

/// The mode's evaluator for a network on a device.
std::unique_ptr<TileEvaluator> make_reference_evaluator(const Network& network, const Executor& executor);
std::unique_ptr<TileEvaluator> make_exact_evaluator(const Network& network, const Executor& executor);

/**
 * Tally one image's logits.
 *
 * \param logits  [classes]; of equal largest logits the first wins
 */
Tally judge(const float* logits, std::int64_t classes, std::int32_t label, std::int32_t golden_top1);

}  // namespace flipstorm
