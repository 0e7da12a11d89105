#include "engine/train/calibrate.hpp"

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/compute/torch/executor.hpp"
#include "engine/network/network_format.hpp"

namespace flipstorm
{
namespace
{

/// Images of one forward pass, all values of which are kept.
std::int64_t batch_of(const Graph& graph)
{
    constexpr std::int64_t kFloats = std::int64_t{64} << 20U;
    constexpr std::int64_t kMost = 100;
    return std::clamp(kFloats / all_elements(graph), std::int64_t{1}, kMost);
}

}  // namespace

std::vector<float> calibrate_ranges(const Network& network, const ImageSet& images, Device device,
                                    std::int64_t count)
{
    FS_REQUIRE(!network.computes_in_integers(), "a network of whole numbers has its ranges");
    const c10::InferenceMode no_gradients;
    const Executor executor(network, torch_device(device));
    const std::vector<Node>& all = network.graph.nodes();
    std::vector<NodeId> nodes;
    for (std::size_t i = 0; i < all.size(); ++i)
    {
        if (has_own_scale(all[i].operation)) nodes.emplace_back(static_cast<std::int32_t>(i));
    }
    const std::vector<bool> positive_part = read_by_relus_alone(network.graph);
    const std::int64_t used = std::min(count, images.size());
    const std::int64_t batch = batch_of(network.graph);
    std::vector<float> ranges(all.size(), 0.0F);
    for (std::int64_t first = 0; first < used; first += batch)
    {
        std::vector<std::int64_t> indices;
        for (std::int64_t k = first; k < std::min(first + batch, used); ++k)
            indices.push_back(k * images.size() / used);
        const std::vector<torch::Tensor> values = executor.forward_to(
            image_batch(images, indices, network.normalisation, executor.device()), nodes);
        for (const NodeId id : nodes)
        {
            const torch::Tensor& value = values[index(id)];
            const auto largest =
                (positive_part[index(id)] ? value.clamp_min(0) : value.abs()).max().item<float>();
            ranges[index(id)] =
                std::max(ranges[index(id)], id == network.graph.output() ? 2 * largest : largest);
        }
    }
    return ranges;
}

}  // namespace flipstorm
