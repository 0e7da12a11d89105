#pragma once
// Golden values and gradients of a tile of images on the device, as the LibTorch backend reads them. Internal
// to the engine: this header brings in LibTorch.

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/compute/torch/libtorch_program.hpp"
#include "engine/evaluate/golden_pass.hpp"
#include "engine/evaluate/tile_evaluator.hpp"

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
    [[nodiscard]] bool reach_of_all() const { return !conv || filter <= kRivals * pixels; }
};

/**
 * The largest weight change that to first order moves no margin past zero.
 *
 *     min( min over rivals k of margin_k / |move_k|,  rest / (kOtherRivals · max over k of |move_k|) )
 *
 * \param moves  of the margins for a unit change, [tile, rivals, n]
 * \returns [tile, n]
 */
[[nodiscard]] torch::Tensor reach_of(const torch::Tensor& moves, const torch::Tensor& margins,
                                     const torch::Tensor& rest);

/// Golden values and gradients on the device.
struct LibtorchTile : PreparedTile
{
    std::vector<torch::Tensor> golden;  ///< by node, [tile, …]
    torch::Tensor input;                ///< of the layer; of a convolution padded
    torch::Tensor largest;  ///< of a convolution: largest |input| a weight meets, [tile, C_in · k²]
    torch::Tensor length;   ///< and the Euclidean length of all it meets, where a certificate asks for it
    torch::Tensor reach;    ///< see reach_of(); by weight, or by neuron of a linear layer. [tile, …]
    torch::Tensor layer_gradients;  ///< where `reach` is not there: [tile, rivals, C_out, pixels]
    std::vector<std::vector<torch::Tensor>> gradients;  ///< by checkpoint's node, [rivals][tile, …]
    torch::Tensor margins;                              ///< [tile, rivals]
    torch::Tensor rest;                                 ///< [tile]
    torch::Tensor certainty;                            ///< [tile]
    torch::Tensor certain;                              ///< [tile]
    torch::Tensor logits;                               ///< [tile, classes]
    torch::Tensor label;                                ///< [tile]
    torch::Tensor top1;                                 ///< [tile]
    std::uint64_t size = 0;

    [[nodiscard]] std::uint64_t bytes() const override { return size; }
};

/// \param gradients  with those that a screen needs \param lengths  with LibtorchTile::length
[[nodiscard]] std::unique_ptr<LibtorchTile> libtorch_tile(const Executor& executor,
                                                          const LibtorchProgram& plan,
                                                          const InjectableLayer& layer, const Tile& tile,
                                                          bool gradients, bool lengths);

/// What that takes for tiles of so many images; without work space. \param screened  with gradients
[[nodiscard]] TileMemory libtorch_tile_memory(const Graph& graph, const LibtorchProgram& plan,
                                              const InjectableLayer& layer, std::int64_t tile_images,
                                              bool screened);

}  // namespace flipstorm
