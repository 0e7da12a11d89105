#pragma once
// How far the changes of one layer's faults move the margins of a tile's images, to first order, with the
// native kernels.

#include <array>
#include <cstdint>
#include <vector>

#include "engine/compute/backend.hpp"
#include "engine/compute/cpu/native_golden.hpp"

namespace flipstorm
{

class NativeMoves
{
  public:
    NativeMoves(const NativeLayer& layer, const NativeGolden& golden, const PairPolicy& policy)
        : layer_(layer), golden_(golden), policy_(policy)
    {}

    /**
     * The size below which a weight's change is small on an image: to first order it moves no margin past
     * zero, and it changes no output far.
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
    using Moves = std::array<float, kNeuronRivals>;

    const NativeLayer& layer_;
    const NativeGolden& golden_;
    const PairPolicy& policy_;
    std::int64_t image_ = 0;  ///< of the checkpoint
    NodeId node_;
    bool all_ = false;
    float tau_ = 0;
    std::vector<float> limit_;  ///< per channel, padded: changes below are small
};

}  // namespace flipstorm
