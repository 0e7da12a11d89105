#pragma once
// Golden values and gradients of a tile of images in the layouts of the native kernels. Internal to the
// engine: this header brings in LibTorch.

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/compute/backend.hpp"
#include "engine/compute/cpu/native_golden.hpp"
#include "engine/compute/torch/overflow_pass.hpp"

namespace flipstorm
{

struct NativeTile : PreparedTile
{
    std::vector<torch::Tensor> maps;            ///< by node: [tile][C][pixels]
    std::vector<torch::Tensor> slots;           ///< by node: [tile][pixels][padded C]
    std::vector<torch::Tensor> gradient_maps;   ///< by node: [tile][rivals][C][pixels]
    std::vector<torch::Tensor> gradient_slots;  ///< by node: [tile][rivals][pixels][padded C]
    torch::Tensor logits;                       ///< [tile, classes]
    NativeGolden golden;                        ///< where all that lies
    SuffixGolden suffix;                        ///< for what may overflow
    std::uint64_t size = 0;

    [[nodiscard]] std::uint64_t bytes() const override { return size; }
};

/// \param images  normalised, [tile, C, H, W] \param gradients  with those that a screen needs
[[nodiscard]] std::unique_ptr<NativeTile> native_tile(const NativeNetwork& network,
                                                      const NativeProgram& program, const Executor& executor,
                                                      NodeId layer, const torch::Tensor& images,
                                                      bool gradients);

/// What that takes for tiles of so many images, and the work space of a thread.
[[nodiscard]] TileMemory native_tile_memory(const NativeNetwork& network, const NativeProgram& program,
                                            NodeId layer, std::int64_t tile_images, bool gradients);

}  // namespace flipstorm
