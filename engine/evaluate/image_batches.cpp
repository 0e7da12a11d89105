#include "engine/evaluate/image_batches.hpp"

#include <algorithm>

namespace flipstorm
{

std::int64_t tile_images(const Graph& graph, EvaluationMode mode)
{
    constexpr std::int64_t kTileElements = std::int64_t{1} << 25;
    constexpr std::int64_t kLiveElements = std::int64_t{1} << 22;
    const bool lets_go = mode == EvaluationMode::reference;
    return images_within({200, 100, 50, 20, 10, 5, 2},
                         lets_go ? live_elements(graph, NodeId(0)) : all_elements(graph),
                         lets_go ? kLiveElements : kTileElements);
}

std::uint64_t start_bytes(const Graph& graph, EvaluationMode mode, std::uint64_t images, int threads)
{
    const auto all = static_cast<std::int64_t>(images);
    const std::int64_t input = elements(graph.input_shape());
    const std::int64_t tile = std::min(all, tile_images(graph, mode));
    const std::int64_t passes =
        std::min<std::int64_t>(threads, (all + tile - 1) / std::max<std::int64_t>(tile, 1));
    const std::int64_t golden = passes * tile * (input + 2 * live_elements(graph, NodeId(0)));
    std::int64_t floats = golden;
    if (mode == EvaluationMode::screened)
    {
        constexpr std::int64_t kFloatsPerDouble = sizeof(double) / sizeof(float);
        std::int64_t largest = 0;
        for (const Node& node : graph.nodes())
            largest = std::max(largest, elements(node.shape));
        const std::int64_t judged = std::min(all, kSpreadImages);
        const std::int64_t batch = std::min(judged, spread_images(graph));
        floats =
            std::max(floats, judged * input + batch * (all_elements(graph) + 2 * kFloatsPerDouble * largest));
    }
    return static_cast<std::uint64_t>(floats) * sizeof(float);
}

}  // namespace flipstorm
