// What screens changes in networks of whole numbers: gradients of the margins of the same network in floating
// point, its values rounded, as if rounding were not there.

#include <cmath>
#include <utility>

#include "engine/compute/cpu/kernels.hpp"
#include "engine/compute/integer/integer_backend.hpp"
#include "engine/compute/torch/golden_pass.hpp"

namespace flipstorm
{
namespace
{

std::unique_ptr<IntegerTile> gradients_of(const Executor& executor, NodeId layer,
                                          const std::vector<float>& pixels, std::int64_t count)
{
    std::vector<std::int64_t> shape = executor.graph().input_shape();
    shape.insert(shape.begin(), count);
    const torch::Tensor images = torch::from_blob(const_cast<float*>(pixels.data()), shape, torch::kFloat32);
    GoldenRequest request;
    request.layer = layer;
    request.gradients = {layer};
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
    return tile;
}

}  // namespace

std::unique_ptr<ComputeBackend> make_integer_backend(const Network& network)
{
    auto executor = std::make_shared<const Executor>(network, torch::kCPU);
    return make_integer_backend(
        network, [executor](NodeId layer, const std::vector<float>& pixels, std::int64_t count) {
            return gradients_of(*executor, layer, pixels, count);
        });
}

}  // namespace flipstorm
