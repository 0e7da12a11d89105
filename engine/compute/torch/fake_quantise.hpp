#pragma once
// Fake quantisation: floats made what they read as once they are stored in another number format, so that a
// network of floats answers as the stored one. Internal to the engine: this header brings in LibTorch.

#include <torch/torch.h>

#include "engine/network/network_format.hpp"

namespace flipstorm
{

/// Whether a node's value, as a whole number, has to be rounded: it has a scale of its own, or is clipped
/// where its input's scale may have no number (ReLU6).
[[nodiscard]] bool is_rounded(const Operation& operation);

/**
 * A value as whole numbers of some bits, times a scale: to the nearest, the even one in a tie; beyond the
 * largest, that one.
 *
 * The gradient passes straight through, and is zero where the value is clipped (Jacob et al., CVPR 2018,
 * section 3). Computed in floats: where the scale is no power of two, a tie may go the other way.
 * Thread-safe.
 */
[[nodiscard]] torch::Tensor fake_quantise(const torch::Tensor& value, const StoredActivation& as);

/**
 * Parameters as StoredTensor would hold them, to the last bit. The gradient as above. Thread-safe.
 *
 * \param values  [outputs, …]
 * \param scales  as the format wants them: undefined, one double, or one of each output
 */
[[nodiscard]] torch::Tensor fake_quantise(const torch::Tensor& values, const FormatTraits& traits,
                                          const torch::Tensor& scales);

/// weight_scales() of a tensor where it is, in doubles; undefined if the format has none. Thread-safe.
[[nodiscard]] torch::Tensor weight_scales(const FormatChoice& choice, const FormatTraits& traits,
                                          const torch::Tensor& values);

}  // namespace flipstorm
