#pragma once
// Faults in instructions: one fused multiply-add of a layer's dot products gives a wrong result, and the rest
// of the sum goes on from there (NVBitFI's single bit flip and warp random value; Tsai et al., DSN 2021).
//
// What is emulated. A layer is a matrix product C[M × N] = W[M × K] · X[K × N] per group: M output channels
// (of the group), N output positions of one image in row-major order, and K = input channels of the group ×
// kernel rows × kernel columns, in that order, row-major, the zeros of the padding included (im2col). A
// linear layer has N = 1 and K input features. Each output is the chain
//
//     s₀ = 0,   s_j = fma(x_j, w_j, s_{j−1}) for j = 1 … K in single precision,   y = s_K + bias
//
// so a layer executes M · N · K instructions per group and image. A network's own arithmetic adds in another
// order; what a fault does to the emulated y is added to the network's value (see `corrupt`).
//
// Warps. The product is tiled as SIMT matrix products are: a warp of 8 × 4 threads computes 32 rows × 16
// columns of C, each thread a fragment of 4 × 4. The instruction of fragment place (a, b) at step j computes,
// in the 32 threads at once, the outputs (32 I + 4 t + a, 16 J + 4 u + b) for t < 8, u < 4: 32 outputs at
// stride 4. Those beyond M or N do not exist. A warp instruction exists if its first output does.

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/base/philox.hpp"
#include "engine/faults/error_value.hpp"
#include "engine/network/graph.hpp"

namespace flipstorm
{

enum class InstructionModel
{
    bit_flip,           ///< one of the 32 bits of one result is flipped
    warp_random_value,  ///< all results of a warp instruction get the same relative error
};

/// Model of that name. \throws JobError naming the known ones.
[[nodiscard]] InstructionModel instruction_model_from(std::string_view name);

/// The dot products of a layer, for one image.
struct DotProducts
{
    std::int64_t groups = 1;
    std::int64_t rows = 0;     ///< M: output channels of a group
    std::int64_t columns = 0;  ///< N: output positions
    std::int64_t depth = 0;    ///< K: terms of a dot product
    Shape input;               ///< [C, H, W]; a linear layer's is [features, 1, 1]
    std::int64_t width = 1;    ///< of the output
    std::int64_t kernel = 1;
    std::int64_t stride = 1;
    std::int64_t padding = 0;
    std::int64_t dilation = 1;
};

/// Dot products of a convolution or linear node. \throws Error for any other.
[[nodiscard]] DotProducts dot_products(const Graph& graph, NodeId node);

/// Instructions, or warp instructions, per image.
[[nodiscard]] std::uint64_t instruction_count(const DotProducts& layer, InstructionModel model);

/// One fault.
struct InstructionFault
{
    InstructionModel model = InstructionModel::bit_flip;
    std::uint64_t element = 0;  ///< flat index in the layer's output; of a warp, of its first thread's
    std::uint64_t step = 0;     ///< j − 1: the term whose sum is struck, 0 … K − 1
    std::int32_t bit = -1;      ///< bit_flip: 0 = least significant; else −1
    float value = 0;            ///< warp_random_value: the sum s reads as s · (1 + value)
};

/// What faults in instructions look like.
struct InstructionRules
{
    InstructionModel model = InstructionModel::bit_flip;
    ErrorValue value;  ///< warp_random_value: magnitude of the relative error; the sign is drawn too
};

/**
 * The fault of an instruction; bit or value are drawn.
 *
 * \param instruction  0 … instruction_count − 1: output by output, or fragment place by fragment place, and
 * step by step in each
 * \throws Error if there is no such instruction. Thread-safe for different streams.
 */
[[nodiscard]] InstructionFault draw_instruction_fault(const InstructionRules& rules, const DotProducts& layer,
                                                      std::uint64_t instruction, RandomStream& random);

/// Flat indices of the outputs that a fault strikes, rising. Thread-safe.
[[nodiscard]] std::vector<std::int64_t> struck_outputs(const InstructionFault& fault,
                                                       const DotProducts& layer);

/**
 * Apply a fault to a layer's output for one image, in place.
 *
 * Each struck output is emulated twice, with and without the fault: y' and y. The network's own value z
 * becomes y' where it equals y, else z + (y' − y), rounded once; it stays as it is where y' = y. So a fault
 * that does not outlive the chain changes nothing, and the emulation's own rounding never shows.
 *
 * \param weight  [groups · M, K], row-major   \param bias  [groups · M], or null
 * \param input  of the layer, row-major       \param output  of the network, row-major
 */
void corrupt(const InstructionFault& fault, const DotProducts& layer, const float* weight, const float* bias,
             const float* input, float* output);

}  // namespace flipstorm
