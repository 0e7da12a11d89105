#pragma once
// What every way of evaluating is behind: a group of changes of one layer over one tile of images. Internal
// to the engine: this header brings in LibTorch.

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/compute/torch/executor.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "engine/evaluate/image_batches.hpp"
#include "engine/network/change_flow.hpp"

namespace flipstorm
{

/// Threads that compute: two feed a GPU, so that while one waits for its counts, the other one's work is
/// queued.
int evaluation_threads(const Device& device, int threads);

/// Whether the native kernels compute, not LibTorch: never in `reference`. \throws JobError if they are asked
/// for where they cannot.
bool computes_natively(const Graph& graph, const EvaluationOptions& options);

/// Images evaluated together, with what the fault-free network computes for them.
struct Tile
{
    std::int64_t first = 0;           ///< of its images in evaluation order
    torch::Tensor images;             ///< normalised, [tile, C, H, W]
    std::vector<std::int32_t> label;  ///< [tile]
    std::vector<std::int32_t> top1;   ///< golden, [tile]
    std::vector<float> certainty;     ///< golden margin over the mean margin of all test images, [tile]

    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(label.size()); }
};

/// What a backend keeps of a tile for the changes of one layer: golden values and gradients.
class PreparedTile
{
  public:
    PreparedTile() = default;
    virtual ~PreparedTile() = default;
    PreparedTile(const PreparedTile&) = delete;
    PreparedTile& operator=(const PreparedTile&) = delete;

    [[nodiscard]] virtual std::uint64_t bytes() const = 0;
};

/// A contiguous range of changes, and where their tallies go.
struct ChangeGroup
{
    const WeightChange* changes = nullptr;
    Tally* tallies = nullptr;
    ScreenTally* screens = nullptr;
    std::size_t count = 0;
};

/// Memory of an evaluation, in bytes.
struct TileMemory
{
    std::uint64_t prepared = 0;   ///< of a prepared tile
    std::uint64_t preparing = 0;  ///< beside that, while it is prepared
    std::uint64_t work = 0;       ///< work space of a group
};

/// One way to find out what changes do to a tile. Thread-safe.
class TileEvaluator
{
  public:
    virtual ~TileEvaluator() = default;

    /// Changes per group; fixed, so that nothing depends on threads or ranks.
    [[nodiscard]] virtual std::size_t group_size() const = 0;

    [[nodiscard]] virtual TileMemory memory(const InjectableLayer& layer, std::int64_t tile_images) const = 0;

    /// Golden values and, for a screen, gradients of a tile for the changes of a layer.
    [[nodiscard]] virtual std::unique_ptr<PreparedTile> prepare(const InjectableLayer& layer,
                                                                const Tile& tile, bool screened) const = 0;

    /**
     * Tally each change of the group over the tile.
     *
     * \param screen  nothing is screened if null or if its kappa is infinite
     * \returns pairs by what became of them
     */
    virtual WorkCount evaluate(const InjectableLayer& layer, const Screen* screen, const ChangeGroup& group,
                               const Tile& tile, const PreparedTile* prepared) const = 0;
};

/// The evaluators. `spread`: see channel_spread; empty unless screened.
std::unique_ptr<TileEvaluator> make_reference_evaluator(const Network& network, const Executor& executor);
std::unique_ptr<TileEvaluator> make_native_evaluator(const Network& network, const Executor& executor,
                                                     std::vector<std::vector<float>> spread,
                                                     std::uint64_t seed);
/// `work_bytes`: of the memory budget, for the work space of one thread; more is not made use of than helps.
std::unique_ptr<TileEvaluator> make_libtorch_evaluator(const Network& network, const Executor& executor,
                                                       const std::vector<std::vector<float>>& spread,
                                                       std::uint64_t seed, std::uint64_t work_bytes);

/**
 * Tally one image's logits.
 *
 * \param logits  [classes]; of equal largest logits the first wins
 */
Tally judge(const float* logits, std::int64_t classes, std::int32_t label, std::int32_t golden_top1);

/// A tile's tally while nothing changes.
Tally golden_tally(const Tile& tile);

/// Put what an image was judged to be in the place of what was tallied of it as unchanged.
inline void tally_change(Tally& tally, const Tally& judged, bool golden_correct)
{
    tally.correct -= golden_correct ? 1U : 0U;
    tally.correct += judged.correct;
    tally.mismatches += judged.mismatches;
    tally.nonfinite += judged.nonfinite;
}

/// Logits of the whole network with one weight changed. [images, classes], on the CPU
torch::Tensor faulty_logits(const Executor& executor, const InjectableLayer& layer,
                            const WeightChange& change, const torch::Tensor& images);

/// Multiply-accumulate operations of the whole network.
double macs_of_image(const Graph& graph);

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
std::vector<NodeId> suffix_starts(const Graph& graph, const ChangeFlow& flow, NodeId layer);

/// A pair in which a sum may overflow.
struct OverflowingPair
{
    std::size_t fault = 0;      ///< in its group
    std::int64_t image = 0;     ///< in its tile
    std::int64_t channel = 0;   ///< that changes at SuffixGolden::restart
    std::vector<float> change;  ///< its change there, [pixels]; empty: the pair is started at the layer
};

/**
 * Tally the pairs of a group in which a sum may overflow, as mode `reference` computes them: dense, with
 * LibTorch's operations from where the first sum is. They have been tallied as unchanged.
 *
 * \param weights  of the layer, golden
 * \param golden  null: computed where it is needed
 * \returns multiply-accumulate operations done
 */
double tally_as_reference(const Executor& executor, const InjectableLayer& layer, const ChangeGroup& group,
                          const Tile& tile, const std::vector<float>& weights,
                          const std::vector<OverflowingPair>& pairs, const SuffixGolden* golden = nullptr);

}  // namespace flipstorm
