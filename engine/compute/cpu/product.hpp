#pragma once
// What convolutions and linear layers share on the CPU.

#include "engine/compute/cpu/operations.hpp"

namespace flipstorm
{

/// Compute a block's outputs for the pixels of `row` into out + first output; groups that are not whole
/// vectors go through a copy, or they would overwrite their neighbours.
void write_block(ChangeBatch& batch, const PackedLayer& layer, const WeightBlock& block, ProductRow row,
                 float* out, std::int64_t out_step);

/// Count the multiply-accumulate operations of a step.
void count_product(ChangeBatch& batch, const NativeStep& step);

/// A box of a product's value, some rows at a time.
void product_box(const BoxStep& step);

/// The bias, padded with zeros; zeros where there is none.
[[nodiscard]] std::vector<float> padded_bias(const PrepareContext& context, bool bias, std::int64_t outputs);

}  // namespace flipstorm
