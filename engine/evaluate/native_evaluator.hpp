#pragma once
// The native backend on the CPU: what a fault changes is followed through the graph image by image, as the
// difference from the golden values. One channel changes at the faulty layer and goes alone through what
// keeps channels apart; behind the next convolution or linear layer, which reads one changed input channel
// only, all channels may. A pair leaves as soon as its change is exactly zero, or, where it is screened, too
// small to first order to matter. Internal to the engine: this header brings in LibTorch.

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/compute/cpu/native_program.hpp"
#include "engine/compute/overflow_bound.hpp"
#include "engine/evaluate/tile_evaluator.hpp"

namespace flipstorm
{

class NativeEvaluator : public TileEvaluator
{
  public:
    /// \param spread  see channel_spread; empty unless screened \param seed  of the audits
    NativeEvaluator(const Network& network, const Executor& executor, std::vector<std::vector<float>> spread,
                    std::uint64_t seed);

    [[nodiscard]] std::size_t group_size() const override { return 256; }

    [[nodiscard]] TileMemory memory(const InjectableLayer& layer, std::int64_t tile_images) const override;

    [[nodiscard]] std::unique_ptr<PreparedTile> prepare(const InjectableLayer& layer, const Tile& tile,
                                                        bool screened) const override;

    WorkCount evaluate(const InjectableLayer& layer, const Screen* screen, const ChangeGroup& group,
                       const Tile& tile, const PreparedTile* prepared) const override;

    [[nodiscard]] const NativeProgram& program(const InjectableLayer& layer) const
    {
        return programs_[static_cast<std::size_t>(layer.id.value())];
    }

    /// Golden weights of a layer.
    [[nodiscard]] const std::vector<float>& weights(const InjectableLayer& layer) const
    {
        return weights_[static_cast<std::size_t>(layer.id.value())];
    }

    /// By channel: see LogitGains; empty where there is a screen.
    [[nodiscard]] const std::vector<double>& gains(const InjectableLayer& layer) const
    {
        return gains_[static_cast<std::size_t>(layer.id.value())];
    }

    [[nodiscard]] const NativeNetwork& network() const { return network_; }
    [[nodiscard]] const Kernels& kernels() const { return kernels_; }
    [[nodiscard]] const Executor& executor() const { return executor_; }
    [[nodiscard]] const OverflowBound& overflow() const { return overflow_; }
    /// Standard deviations of a node's channels.
    [[nodiscard]] const std::vector<float>& spread(NodeId id) const { return spread_[index(id)]; }
    [[nodiscard]] std::uint64_t seed() const { return seed_; }

  private:
    const Kernels& kernels_;
    NativeNetwork network_;
    Executor executor_;
    OverflowBound overflow_;
    std::vector<std::vector<float>> spread_;
    std::uint64_t seed_;
    std::vector<NativeProgram> programs_;     ///< by layer id
    std::vector<SharedValues> weights_;       ///< by layer id
    std::vector<std::vector<double>> gains_;  ///< by layer id
};

}  // namespace flipstorm
