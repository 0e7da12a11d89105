#include "engine/compute/torch/reference_backend.hpp"

#include "engine/compute/torch/loaded_images.hpp"

namespace flipstorm
{

torch::Tensor faulty_logits(const Executor& executor, const InjectableLayer& layer,
                            const WeightChange& change, const torch::Tensor& images)
{
    Executor faulty = executor;
    const torch::Tensor weight = executor.parameters()[layer.weight].clone();
    weight.view(-1)[static_cast<std::int64_t>(change.parameter)] = change.value;
    faulty.set_parameter(layer.weight, weight);
    return faulty.forward(images).to(torch::kCPU).contiguous();
}

double macs_of_image(const Graph& graph)
{
    double macs = 0;
    for (std::int32_t i = 0; i <= graph.output().value(); ++i)
        macs += static_cast<double>(graph.macs(NodeId(i)));
    return macs;
}

namespace
{

/// Mode `reference`: flip, run the whole network on the tile, next.
class ReferenceBackend : public ComputeBackend
{
  public:
    ReferenceBackend(const Network& network, torch::Device device)
        : executor_(network, device), normalisation_(network.normalisation)
    {}

    [[nodiscard]] std::size_t group_size() const override { return 1; }

    [[nodiscard]] std::uint64_t bytes() const override { return executor_.bytes(); }

    [[nodiscard]] TileMemory memory(const InjectableLayer& /*layer*/, std::int64_t tile_images,
                                    PreparedFor /*wanted*/) const override
    {
        const std::int64_t floats = live_elements(executor_.graph(), NodeId(0)) * tile_images;
        return {0, 0, static_cast<std::uint64_t>(floats) * sizeof(float)};
    }

    [[nodiscard]] std::unique_ptr<DeviceImages> load(const ImageSet& images,
                                                     const std::vector<std::int64_t>& indices) const override
    {
        return std::make_unique<LoadedImages>(images, indices, normalisation_, executor_.device());
    }

    [[nodiscard]] std::unique_ptr<PreparedTile> prepare(const InjectableLayer& /*layer*/,
                                                        const DeviceImages& /*images*/,
                                                        PreparedFor /*wanted*/) const override
    {
        return nullptr;
    }

    double follow(const InjectableLayer& layer, const ChangeGroup& group, const DeviceImages& images,
                  const PreparedTile* /*prepared*/, PairPolicy& policy) const override
    {
        const c10::InferenceMode no_gradients;
        const torch::Tensor& tile = values_of(images);
        for (std::size_t f = 0; f < group.count; ++f)
        {
            const torch::Tensor logits = faulty_logits(executor_, layer, group.changes[f], tile);
            for (std::int64_t n = 0; n < tile.size(0); ++n)
                policy.at_logits({f, n, false}, logits.data_ptr<float>() + n * logits.size(1));
        }
        return static_cast<double>(group.count) * static_cast<double>(tile.size(0)) *
               macs_of_image(executor_.graph());
    }

    double follow_as_reference(const InjectableLayer& /*layer*/, const ChangeGroup& /*group*/,
                               const DeviceImages& /*images*/, const PreparedTile* /*prepared*/,
                               const std::vector<OverflowingPair>& /*pairs*/,
                               PairPolicy& /*policy*/) const override
    {
        return 0;  // follow() says of no pair that it may overflow
    }

  private:
    Executor executor_;
    Normalisation normalisation_;
};

}  // namespace

std::unique_ptr<ComputeBackend> make_reference_backend(const Network& network, Device device)
{
    return std::make_unique<ReferenceBackend>(network, torch_device(device));
}

}  // namespace flipstorm
