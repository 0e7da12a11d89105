#include "engine/compute/torch/libtorch_backend.hpp"

#include "engine/compute/torch/libtorch_group.hpp"
#include "engine/compute/torch/loaded_images.hpp"
#include "engine/compute/torch/overflow_pass.hpp"

namespace flipstorm
{

LibtorchBackend::LibtorchBackend(const Network& network, torch::Device device, std::uint64_t work_bytes)
    : graph_(network.graph),
      normalisation_(network.normalisation),
      executor_(network, device),
      operations_(network, executor_),
      overflow_(network),
      work_floats_(static_cast<std::int64_t>(std::min(work_bytes, device.is_cuda() ? kCudaWork : kCpuWork) /
                                             sizeof(float)))
{
    for (const InjectableLayer& layer : injectable_layers(network))
    {
        programs_.push_back(operations_.program(layer.node));
        weights_.push_back(network.parameters[layer.weight].values());
    }
}

TileMemory LibtorchBackend::memory(const InjectableLayer& layer, std::int64_t tile_images,
                                   PreparedFor wanted) const
{
    const LibtorchProgram& plan = program(layer);
    const LayerGeometry geometry(graph_, layer);
    TileMemory memory = libtorch_tile_memory(graph_, plan, layer, tile_images, wanted);
    const std::int64_t of_batch = batch(plan) * pair_floats(plan);
    const std::int64_t moves =
        wanted.gradients && !geometry.moves_of_all() ? move_floats(geometry) * tile_images : 0;
    const std::int64_t of_moves = std::max(moves, moves * moves_batch(geometry, tile_images));
    // All pairs of a group: measured, then listed.
    const std::uint64_t pair_bytes =
        64 + (wanted.gradients ? 2 * sizeof(float) * static_cast<std::uint64_t>(rivals_of(graph_, layer.node))
                               : 0);
    memory.work = static_cast<std::uint64_t>(std::max(of_batch, of_moves)) * sizeof(float) +
                  static_cast<std::uint64_t>(tile_images) * group_size() * pair_bytes;
    return memory;
}

std::unique_ptr<DeviceImages> LibtorchBackend::load(const ImageSet& images,
                                                    const std::vector<std::int64_t>& indices) const
{
    return std::make_unique<LoadedImages>(images, indices, normalisation_, executor_.device());
}

std::unique_ptr<PreparedTile> LibtorchBackend::prepare(const InjectableLayer& layer,
                                                       const DeviceImages& images, PreparedFor wanted) const
{
    return libtorch_tile(executor_, program(layer), layer, values_of(images), wanted);
}

double LibtorchBackend::follow(const InjectableLayer& layer, const ChangeGroup& group,
                               const DeviceImages& /*images*/, const PreparedTile* prepared,
                               PairPolicy& policy) const
{
    const c10::InferenceMode no_gradients;
    return LibtorchGroup(*this, layer, group, *static_cast<const LibtorchTile*>(prepared), policy).run();
}

double LibtorchBackend::follow_as_reference(const InjectableLayer& layer, const ChangeGroup& group,
                                            const DeviceImages& images, const PreparedTile* /*prepared*/,
                                            const std::vector<OverflowingPair>& pairs,
                                            PairPolicy& policy) const
{
    return overflow_pass(executor_, layer, group, values_of(images), weights(layer), pairs, nullptr, policy);
}

std::unique_ptr<ComputeBackend> make_libtorch_backend(const Network& network, Device device,
                                                      std::uint64_t work_bytes)
{
    return std::make_unique<LibtorchBackend>(network, torch_device(device), work_bytes);
}

}  // namespace flipstorm
