#include "engine/evaluate/libtorch_evaluator.hpp"

#include "engine/evaluate/certificate.hpp"
#include "engine/evaluate/libtorch_group.hpp"

namespace flipstorm
{

LibtorchEvaluator::LibtorchEvaluator(const Network& network, const Executor& executor,
                                     const std::vector<std::vector<float>>& spread, std::uint64_t seed,
                                     std::uint64_t work_bytes)
    : graph_(network.graph),
      executor_(executor),
      operations_(network, executor),
      overflow_(network),
      seed_(seed),
      work_floats_(static_cast<std::int64_t>(
          std::min(work_bytes, executor.device().is_cuda() ? kCudaWork : kCpuWork) / sizeof(float)))
{
    for (const std::vector<float>& of_node : spread)
        spread_.push_back(on_device(torch::tensor(of_node, torch::kFloat32)));
    LogitGains gains(network);
    for (const InjectableLayer& layer : injectable_layers(network))
    {
        programs_.push_back(operations_.program(layer.node));
        weights_.push_back(network.parameters[layer.weight].values());
        gains_.emplace_back();
        // The last layer is never screened.
        if (!spread_.empty() && layer.node != graph_.output()) continue;
        gains_.back() =
            on_device(torch::tensor(gains.of_layer(programs_.back().flow, layer.node)).to(torch::kFloat32));
    }
}

TileMemory LibtorchEvaluator::memory(const InjectableLayer& layer, std::int64_t tile_images) const
{
    const LibtorchProgram& plan = program(layer);
    const LayerGeometry geometry(graph_, layer);
    TileMemory memory = libtorch_tile_memory(graph_, plan, layer, tile_images, screened());
    const std::int64_t of_batch = batch(plan) * pair_floats(plan);
    const std::int64_t moves =
        screened() && !geometry.reach_of_all() ? move_floats(geometry) * tile_images : 0;
    const std::int64_t of_moves = std::max(moves, moves * moves_batch(geometry, tile_images));
    // All pairs of a group: judged by the screen, then listed.
    constexpr std::uint64_t kPairBytes = 64;
    memory.work = static_cast<std::uint64_t>(std::max(of_batch, of_moves)) * sizeof(float) +
                  static_cast<std::uint64_t>(tile_images) * group_size() * kPairBytes;
    return memory;
}

std::unique_ptr<PreparedTile> LibtorchEvaluator::prepare(const InjectableLayer& layer, const Tile& tile,
                                                         bool screened) const
{
    return libtorch_tile(executor_, program(layer), layer, tile, screened, spread_.empty());
}

WorkCount LibtorchEvaluator::evaluate(const InjectableLayer& layer, const Screen* screen,
                                      const ChangeGroup& group, const Tile& tile,
                                      const PreparedTile* prepared) const
{
    return LibtorchGroup(*this, layer, screen, group, tile, static_cast<const LibtorchTile&>(*prepared))
        .run();
}

std::unique_ptr<TileEvaluator> make_libtorch_evaluator(const Network& network, const Executor& executor,
                                                       const std::vector<std::vector<float>>& spread,
                                                       std::uint64_t seed, std::uint64_t work_bytes)
{
    return std::make_unique<LibtorchEvaluator>(network, executor, spread, seed, work_bytes);
}

}  // namespace flipstorm
