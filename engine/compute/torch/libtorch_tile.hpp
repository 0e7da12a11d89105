#pragma once
// Golden values and gradients of a tile of images on the device, as the LibTorch backend reads them. Internal
// to the engine: this header brings in LibTorch.

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/compute/backend.hpp"
#include "engine/compute/torch/libtorch_program.hpp"

namespace flipstorm
{

/// The faulty layer and where its weights lie.
struct LayerGeometry
{
    std::int64_t filter = 0;  ///< weights of one output
    std::int64_t outputs = 0;
    std::int64_t pixels = 1;  ///< of an output channel
    std::optional<Conv2dOp> conv;

    LayerGeometry(const Graph& graph, const InjectableLayer& layer);

    /// Whether first-order moves are prepared for all weights: no more floats than the gradients would be.
    [[nodiscard]] bool moves_of_all() const { return !conv || filter <= pixels; }
};

/// Golden values and gradients on the device.
struct LibtorchTile : PreparedTile
{
    std::vector<torch::Tensor> golden;  ///< by node, [tile, …]
    torch::Tensor input;                ///< of the layer; of a convolution padded
    torch::Tensor largest;  ///< of a convolution: largest |input| a weight meets, [tile, C_in · k²]
    torch::Tensor length;   ///< and the Euclidean length of all it meets, where a certificate asks for it
    /// First-order moves of the margins for a unit change, by weight, or by neuron of a linear layer.
    /// [tile, rivals, …]
    torch::Tensor moves;
    torch::Tensor layer_gradients;  ///< where `moves` is not there: [tile, rivals, C_out, pixels]
    std::vector<std::vector<torch::Tensor>> gradients;  ///< by checkpoint's node, [rivals][tile, …]
    torch::Tensor logits;                               ///< [tile, classes]
    std::uint64_t size = 0;

    [[nodiscard]] std::uint64_t bytes() const override { return size; }
};

/// \param images  normalised, [tile, C, H, W]
[[nodiscard]] std::unique_ptr<LibtorchTile> libtorch_tile(const Executor& executor,
                                                          const LibtorchProgram& plan,
                                                          const InjectableLayer& layer,
                                                          const torch::Tensor& images, PreparedFor wanted);

/// What that takes for tiles of so many images; without work space.
[[nodiscard]] TileMemory libtorch_tile_memory(const Graph& graph, const LibtorchProgram& plan,
                                              const InjectableLayer& layer, std::int64_t tile_images,
                                              PreparedFor wanted);

}  // namespace flipstorm
