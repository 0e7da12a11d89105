// What screens changes in networks of whole numbers: gradients of the margins of the same network in floating
// point, its values rounded, as if rounding were not there.

#include <cmath>
#include <utility>

#include "engine/compute/cpu/kernels.hpp"
#include "engine/compute/integer/integer_backend.hpp"
#include "engine/compute/torch/golden_pass.hpp"
#include "engine/network/layer_suffix.hpp"

namespace flipstorm
{
namespace
{

/// Σ over the elements of a value of (half a code · gradient)², for each image.
torch::Tensor squared_moves(const torch::Tensor& gradient, const StoredActivation& stored)
{
    return (gradient.flatten(1) * (stored.scale / 2)).square().sum(1);
}

std::unique_ptr<IntegerTile> gradients_of(const Network& network, const Executor& executor, NodeId layer,
                                          const std::vector<float>& pixels, std::int64_t count)
{
    std::vector<std::int64_t> shape = executor.graph().input_shape();
    shape.insert(shape.begin(), count);
    const torch::Tensor images = torch::from_blob(const_cast<float*>(pixels.data()), shape, torch::kFloat32);
    GoldenRequest request;
    request.layer = layer;
    request.gradients = {layer};
    for (const NodeId id : nodes_behind(network.graph, layer))
    {
        if (has_own_scale(network.graph.node(id).operation)) request.gradients.push_back(id);
    }
    GoldenPass pass = golden_pass(executor, images, request);
    const torch::NoGradGuard no_gradients;
    const std::vector<torch::Tensor>& found = pass.gradients[index(layer)];
    auto tile = std::make_unique<IntegerTile>();
    tile->margins = std::move(pass.margins);
    tile->rivals = static_cast<std::int64_t>(found.size());
    tile->channels = found[0].size(1);
    tile->pixels = found[0].numel() / (count * tile->channels);
    const std::int64_t map = tile->channels * tile->pixels;
    tile->gradients.assign(static_cast<std::size_t>(count * tile->rivals * map + kLanes), 0);
    tile->lengths.assign(static_cast<std::size_t>(count * tile->rivals * tile->channels), 0);
    torch::Tensor all =
        torch::from_blob(tile->gradients.data(), {count, tile->rivals, tile->channels, tile->pixels});
    for (std::int64_t k = 0; k < tile->rivals; ++k)
        all.select(1, k).copy_(
            found[static_cast<std::size_t>(k)].reshape({count, tile->channels, tile->pixels}));
    torch::from_blob(tile->lengths.data(), {count, tile->rivals, tile->channels})
        .copy_(all.square().sum(3).sqrt());
    tile->roundings.assign(static_cast<std::size_t>(count * tile->rivals), 0);
    torch::Tensor roundings = torch::from_blob(tile->roundings.data(), {count, tile->rivals});
    for (std::int64_t k = 0; k < tile->rivals; ++k)
    {
        torch::Tensor sum = torch::zeros({count});
        for (std::size_t i = 1; i < request.gradients.size(); ++i)
        {
            const std::size_t node = index(request.gradients[i]);
            sum +=
                squared_moves(pass.gradients[node][static_cast<std::size_t>(k)], network.activations[node]);
        }
        roundings.select(1, k).copy_(sum.sqrt());
    }
    return tile;
}

}  // namespace

std::unique_ptr<ComputeBackend> make_integer_backend(const Network& network)
{
    auto executor = std::make_shared<const Executor>(network, torch::kCPU);
    auto floats = std::make_shared<const Network>(network);
    return make_integer_backend(
        network, [executor, floats](NodeId layer, const std::vector<float>& pixels, std::int64_t count) {
            return gradients_of(*floats, *executor, layer, pixels, count);
        });
}

}  // namespace flipstorm
