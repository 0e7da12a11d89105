// The native backend on the CPU: what a fault changes is followed through the graph image by image, as the
// difference from the golden values. One channel changes at the faulty layer and goes alone through what
// keeps channels apart; behind the next convolution or linear layer, which reads one changed input channel
// only, all channels may. Golden values, gradients, and pairs in which a sum may overflow are LibTorch's.

#include "engine/compute/cpu/native_group.hpp"
#include "engine/compute/overflow_bound.hpp"
#include "engine/compute/torch/loaded_images.hpp"
#include "engine/compute/torch/native_tile.hpp"

namespace flipstorm
{
namespace
{

class NativeBackend : public ComputeBackend
{
  public:
    explicit NativeBackend(const Network& network)
        : kernels_(native_kernels()),
          network_(native_network(network, kernels_)),
          normalisation_(network.normalisation),
          executor_(network, torch::kCPU),
          overflow_(network)
    {
        for (const InjectableLayer& layer : injectable_layers(network))
        {
            programs_.push_back(native_program(network_, layer.node));
            weights_.push_back(network.parameters[layer.weight].values());
        }
    }

    [[nodiscard]] std::size_t group_size() const override { return 256; }

    [[nodiscard]] std::uint64_t bytes() const override
    {
        std::size_t floats = 0;
        for (const NativeNode& node : network_.nodes)
            floats += node.packed.weights.size() + node.scale.size() + node.shift.size();
        return floats * sizeof(float);
    }

    [[nodiscard]] TileMemory memory(const InjectableLayer& layer, std::int64_t tile_images,
                                    PreparedFor wanted) const override
    {
        return native_tile_memory(network_, program(layer), layer.node, tile_images, wanted.gradients);
    }

    [[nodiscard]] std::unique_ptr<DeviceImages> load(const ImageSet& images,
                                                     const std::vector<std::int64_t>& indices) const override
    {
        return std::make_unique<LoadedImages>(images, indices, normalisation_, executor_.device());
    }

    [[nodiscard]] std::unique_ptr<PreparedTile> prepare(const InjectableLayer& layer,
                                                        const DeviceImages& images,
                                                        PreparedFor wanted) const override
    {
        return native_tile(network_, program(layer), executor_, layer.node, values_of(images),
                           wanted.gradients);
    }

    double follow(const InjectableLayer& layer, const ChangeGroup& group, const DeviceImages& /*images*/,
                  const PreparedTile* prepared, PairPolicy& policy) const override
    {
        thread_local ChangeSpace space;
        space.fit(program(layer));
        const NativeLayer native{network_, kernels_, overflow_, program(layer), layer, weights(layer)};
        return NativeGroup(native, group, static_cast<const NativeTile*>(prepared)->golden, space, policy)
            .run();
    }

    double follow_as_reference(const InjectableLayer& layer, const ChangeGroup& group,
                               const DeviceImages& images, const PreparedTile* prepared,
                               const std::vector<OverflowingPair>& pairs, PairPolicy& policy) const override
    {
        return overflow_pass(executor_, layer, group, values_of(images), weights(layer), pairs,
                             &static_cast<const NativeTile*>(prepared)->suffix, policy);
    }

  private:
    [[nodiscard]] const NativeProgram& program(const InjectableLayer& layer) const
    {
        return programs_[static_cast<std::size_t>(layer.id.value())];
    }
    [[nodiscard]] const std::vector<float>& weights(const InjectableLayer& layer) const
    {
        return weights_[static_cast<std::size_t>(layer.id.value())];
    }

    const Kernels& kernels_;
    NativeNetwork network_;
    Normalisation normalisation_;
    Executor executor_;
    OverflowBound overflow_;
    std::vector<NativeProgram> programs_;  ///< by layer id
    std::vector<SharedValues> weights_;    ///< golden, by layer id
};

}  // namespace

std::unique_ptr<ComputeBackend> make_native_backend(const Network& network)
{
    return std::make_unique<NativeBackend>(network);
}

}  // namespace flipstorm
