#pragma once
// Weights of convolutions and linear layers, packed for the register blocks of the instruction set.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/compute/cpu/kernels.hpp"

namespace flipstorm
{

/// Outputs of a convolution or linear layer that are computed side by side.
struct WeightBlock
{
    std::int64_t first_output = 0;  ///< channel
    std::int64_t vectors = 0;
    std::int64_t group = 0;
    std::int64_t outputs = 0;  ///< real channels; the rest of the vectors is padding
    std::size_t offset = 0;    ///< into the packed weights
};

/// A convolution or linear layer: [block][tap][input channel of the group][vectors·16].
struct PackedLayer
{
    std::vector<float> weights;
    std::vector<WeightBlock> blocks;
    std::int64_t taps = 0;
    std::int64_t group_inputs = 0;
    std::int64_t group_outputs = 0;
    std::int64_t groups = 1;
    bool whole_vectors = true;  ///< every block's vectors lie within its own group's outputs or the padding
};

/// Sizes of a weight tensor [outputs][inputs of the group][taps]; of a linear layer behind a flattened map,
/// its pixels are taps.
struct WeightSizes
{
    std::int64_t outputs = 0;
    std::int64_t groups = 1;
    std::int64_t group_inputs = 0;
    std::int64_t taps = 1;
};

/// \param values  row-major \param most_vectors  of a block: Kernels::most_vectors
[[nodiscard]] PackedLayer packed(const std::vector<float>& values, const WeightSizes& sizes,
                                 std::int64_t most_vectors);

}  // namespace flipstorm
