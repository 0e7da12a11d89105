#pragma once
// Golden values and gradients of a tile of images in the layouts of the native kernels. Internal to the
// engine: this header brings in LibTorch.

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/compute/cpu/change_batch.hpp"
#include "engine/evaluate/tile_evaluator.hpp"

namespace flipstorm
{

struct NativeTile : PreparedTile
{
    std::vector<torch::Tensor> maps;            ///< by node: [tile][C][pixels]
    std::vector<torch::Tensor> slots;           ///< by node: [tile][pixels][padded C]
    std::vector<torch::Tensor> gradient_maps;   ///< by node: [tile][rivals][C][pixels]
    std::vector<torch::Tensor> gradient_slots;  ///< by node: [tile][rivals][pixels][padded C]
    GoldenValues golden;                        ///< where maps and slots lie
    SuffixGolden suffix;                        ///< for what may overflow
    torch::Tensor logits;
    std::int64_t rivals = 0;
    std::vector<float> margins;
    std::vector<float> rest;
    std::vector<float> certain;
    std::uint64_t size = 0;

    [[nodiscard]] std::uint64_t bytes() const override { return size; }
};

/// \param screened  with the gradients that a screen needs
[[nodiscard]] std::unique_ptr<NativeTile> native_tile(const NativeNetwork& network, const NativeProgram& plan,
                                                      const Executor& executor, NodeId layer,
                                                      const Tile& tile, bool screened);

/// What that takes for tiles of so many images, and the work space of a thread.
[[nodiscard]] TileMemory native_tile_memory(const NativeNetwork& network, const NativeProgram& plan,
                                            NodeId layer, std::int64_t tile_images, bool screened);

}  // namespace flipstorm
