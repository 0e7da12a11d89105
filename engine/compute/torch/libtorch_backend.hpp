#pragma once
// The LibTorch backend: the changes of a group of faults on a tile of images, side by side in the batch
// dimension of whole-tensor operations on the executor's device. All (fault, image) pairs are measured at the
// layer at once; those that are followed go from checkpoint to checkpoint in batches, closing up where pairs
// leave, and only measures come back to the host. Internal to the engine: this header brings in LibTorch.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/compute/overflow_bound.hpp"
#include "engine/compute/torch/libtorch_program.hpp"
#include "engine/compute/torch/libtorch_tile.hpp"

namespace flipstorm
{

class LibtorchBackend : public ComputeBackend
{
  public:
    /// \param work_bytes  for the work space of a thread; more is not made use of than helps
    LibtorchBackend(const Network& network, torch::Device device, std::uint64_t work_bytes);

    [[nodiscard]] std::size_t group_size() const override
    {
        return executor_.device().is_cuda() ? 1024 : 256;
    }

    [[nodiscard]] std::uint64_t bytes() const override { return executor_.bytes() + operations_.bytes(); }

    [[nodiscard]] TileMemory memory(const InjectableLayer& layer, std::int64_t tile_images,
                                    PreparedFor wanted) const override;

    [[nodiscard]] std::unique_ptr<DeviceImages> load(const ImageSet& images,
                                                     const std::vector<std::int64_t>& indices) const override;

    [[nodiscard]] std::unique_ptr<PreparedTile> prepare(const InjectableLayer& layer,
                                                        const DeviceImages& images,
                                                        PreparedFor wanted) const override;

    double follow(const InjectableLayer& layer, const ChangeGroup& group, const DeviceImages& images,
                  const PreparedTile* prepared, PairPolicy& policy) const override;

    double follow_as_reference(const InjectableLayer& layer, const ChangeGroup& group,
                               const DeviceImages& images, const PreparedTile* prepared,
                               const std::vector<OverflowingPair>& pairs, PairPolicy& policy) const override;

    [[nodiscard]] const Graph& graph() const { return graph_; }
    [[nodiscard]] const Executor& executor() const { return executor_; }
    [[nodiscard]] const ChangeOperations& operations() const { return operations_; }
    [[nodiscard]] const OverflowBound& overflow() const { return overflow_; }
    [[nodiscard]] const LibtorchProgram& program(const InjectableLayer& layer) const
    {
        return programs_[static_cast<std::size_t>(layer.id.value())];
    }
    [[nodiscard]] const std::vector<float>& weights(const InjectableLayer& layer) const
    {
        return weights_[static_cast<std::size_t>(layer.id.value())];
    }
    [[nodiscard]] torch::Tensor on_device(const torch::Tensor& tensor) const
    {
        return tensor.to(executor_.device());
    }

    /// Pairs followed side by side.
    [[nodiscard]] std::int64_t batch(const LibtorchProgram& program) const
    {
        return std::clamp<std::int64_t>(work_floats_ / pair_floats(program), 1, kMostPairs);
    }

    /// Faults for which moves are reckoned side by side, where they were not prepared.
    [[nodiscard]] std::int64_t moves_batch(const LayerGeometry& geometry, std::int64_t tile_images) const
    {
        return std::max<std::int64_t>(1, work_floats_ / (move_floats(geometry) * tile_images));
    }

  private:
    static constexpr std::int64_t kMostPairs = 8192;
    static constexpr std::uint64_t kCpuWork = std::uint64_t{8} << 20U;
    static constexpr std::uint64_t kCudaWork = std::uint64_t{1} << 30U;

    /// Floats per (fault, image) for the moves of a weight: its inputs, and per rival gradients and products.
    [[nodiscard]] static std::int64_t move_floats(const LayerGeometry& geometry)
    {
        return (1 + 2 * kRivals) * geometry.pixels;
    }

    /// Floats of a pair on its way, those that wait at checkpoints included.
    [[nodiscard]] static std::int64_t pair_floats(const LibtorchProgram& program)
    {
        std::int64_t waiting = 0;
        std::int64_t most = 0;
        for (const Segment& segment : program.segments)
        {
            waiting += segment.entry_floats;
            most = std::max(most, segment.floats);
        }
        constexpr std::int64_t kIndices = 32;
        return waiting + most + kIndices;
    }

    Graph graph_;
    Normalisation normalisation_;
    Executor executor_;
    ChangeOperations operations_;
    OverflowBound overflow_;
    std::int64_t work_floats_;               ///< for a batch
    std::vector<LibtorchProgram> programs_;  ///< by layer id
    std::vector<SharedValues> weights_;      ///< golden, by layer id
};

}  // namespace flipstorm
