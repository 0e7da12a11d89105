#include "engine/evaluate/native_evaluator.hpp"

#include <utility>

#include "engine/evaluate/certificate.hpp"
#include "engine/evaluate/native_group.hpp"

namespace flipstorm
{

NativeEvaluator::NativeEvaluator(const Network& network, const Executor& executor,
                                 std::vector<std::vector<float>> spread, std::uint64_t seed)
    : kernels_(native_kernels()),
      network_(native_network(network, kernels_)),
      executor_(executor),
      overflow_(network),
      spread_(std::move(spread)),
      seed_(seed)
{
    LogitGains gains(network);
    for (const InjectableLayer& layer : injectable_layers(network))
    {
        programs_.push_back(native_program(network_, layer.node));
        weights_.push_back(network.parameters[layer.weight].values());
        gains_.push_back(spread_.empty() || layer.node == network.graph.output()
                             ? gains.of_layer(programs_.back().flow, layer.node)
                             : std::vector<double>{});
    }
}

std::unique_ptr<PreparedTile> NativeEvaluator::prepare(const InjectableLayer& layer, const Tile& tile,
                                                       bool screened) const
{
    return native_tile(network_, program(layer), executor_, layer.node, tile, screened);
}

TileMemory NativeEvaluator::memory(const InjectableLayer& layer, std::int64_t tile_images) const
{
    return native_tile_memory(network_, program(layer), layer.node, tile_images, !spread_.empty());
}

WorkCount NativeEvaluator::evaluate(const InjectableLayer& layer, const Screen* screen,
                                    const ChangeGroup& group, const Tile& tile,
                                    const PreparedTile* prepared) const
{
    thread_local ChangeSpace space;
    space.fit(program(layer));
    return NativeGroup(*this, layer, screen, group, tile, static_cast<const NativeTile&>(*prepared), space)
        .run();
}

std::unique_ptr<TileEvaluator> make_native_evaluator(const Network& network, const Executor& executor,
                                                     std::vector<std::vector<float>> spread,
                                                     std::uint64_t seed)
{
    return std::make_unique<NativeEvaluator>(network, executor, std::move(spread), seed);
}

}  // namespace flipstorm
