#pragma once
// The first-order screen of one layer's faults on a tile, with the native kernels: whether a change is too
// small to matter. Internal to the engine: this header brings in LibTorch.

#include <cstdint>
#include <vector>

#include "engine/evaluate/native_evaluator.hpp"
#include "engine/evaluate/native_tile.hpp"

namespace flipstorm
{

class NativeScreen
{
  public:
    /// \param screen  null, or with an infinite kappa: nothing is screened
    NativeScreen(const NativeEvaluator& evaluator, const InjectableLayer& layer, const Screen* screen,
                 const Tile& tile, const NativeTile& golden);

    [[nodiscard]] bool active() const { return screen_ != nullptr; }
    [[nodiscard]] double audit_share() const { return active() ? screen_->audit_share : 0; }

    /**
     * The size below which a weight's change is screened on an image: to first order, kappa times it moves no
     * margin past zero, and it changes no output by tau standard deviations.
     *
     * \param channel  of the layer's output \param map  what a unit change of the weight adds to it, [pixels]
     * \param largest  its largest magnitude
     */
    [[nodiscard]] float limit(std::int64_t image, std::int64_t channel, const float* map,
                              float largest) const;

    /// The checkpoint at which `small` is asked next. \param all  changes are slots, not maps
    void at_checkpoint(std::int64_t image, NodeId node, bool all);

    /// Whether a change there moves, to first order, no margin past zero and no value far.
    /// \param channel  that changes, of a map
    [[nodiscard]] bool small(const float* change, std::int64_t channel) const;

  private:
    [[nodiscard]] float tau(std::int64_t image) const;
    [[nodiscard]] bool harmless(const float* moves) const;

    const NativeEvaluator& evaluator_;
    const InjectableLayer& layer_;
    const Screen* screen_;
    const Tile& tile_;
    const NativeTile& golden_;
    float kappa_ = 0;
    std::int64_t image_ = 0;  ///< of the checkpoint
    NodeId node_;
    bool all_ = false;
    float tau_ = 0;
    std::vector<float> limit_;  ///< per channel, padded: changes below are small
};

}  // namespace flipstorm
