#pragma once
// Two ways to find out what transient faults of a layer do to images: LibTorch on batches, anywhere, and the
// native kernels on one image after another, on the CPU. Internal to the engine: this header brings in
// LibTorch.

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/evaluate/evaluator.hpp"
#include "engine/faults/transient_plan.hpp"
#include "engine/network/layer_suffix.hpp"

namespace flipstorm
{

/// An image that a fault strikes.
struct TransientPair
{
    const TransientStrike* strike = nullptr;
    std::int64_t image = 0;
};

/// What became of a pair.
struct PairOutcome
{
    Tally tally;
    bool masked = false;
    bool followed = false;  ///< to the logits
};

/// A layer, and what its faults need.
struct StruckLayer
{
    LayerSuffix suffix;
    NodeId input;
    Shape shape;  ///< of the output
    DotProducts products;
    const float* weight = nullptr;
    const float* bias = nullptr;  ///< null: none

    [[nodiscard]] bool needs_input(const TransientFault& fault) const
    {
        return std::holds_alternative<InstructionFault>(fault);
    }

    /// Corrupt the output for one image, in place. \param layer_input  row-major; null if not needed
    void corrupt(const TransientFault& fault, const float* layer_input, float* output) const;
};

/// By layer id; they point into the network.
std::vector<StruckLayer> struck_layers(const Network& network);

/// Follows pairs of one layer. Thread-safe.
class TransientFollower
{
  public:
    virtual ~TransientFollower() = default;

    /// Pairs that are followed together; fixed, so that nothing depends on threads or ranks.
    [[nodiscard]] virtual std::size_t batch() const = 0;

    /// Bytes that a thread needs.
    [[nodiscard]] virtual std::uint64_t memory() const = 0;

    /// Logits of the fault-free network, in data-set order. [images, classes]
    [[nodiscard]] virtual torch::Tensor golden_logits(int threads) const = 0;

    /**
     * Follow pairs, sorted by image, at most a batch.
     *
     * \param golden  golden_logits() \param prediction  made of them
     */
    virtual void follow(const StruckLayer& layer, const TransientPair* pairs, std::size_t count,
                        const torch::Tensor& golden, const Golden& prediction,
                        PairOutcome* outcomes) const = 0;
};

/// \param follow_all  every pair to the logits
std::unique_ptr<TransientFollower> make_libtorch_follower(const Network& network, const ImageSet& images,
                                                          Device device, bool follow_all);
/// \throws Error if native_obstacle() says so.
std::unique_ptr<TransientFollower> make_native_follower(const Network& network, const ImageSet& images);

/// Outcome of an image whose logits are golden ones, to the bit.
PairOutcome masked_outcome(const Golden& golden, std::int64_t image);

}  // namespace flipstorm
