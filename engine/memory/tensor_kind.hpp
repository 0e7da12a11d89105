#pragma once
// Kinds of tensors of a network in memory: which of them are struck.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flipstorm
{

/// What of a network lies in memory and can be hit; numbered from 0 without a gap.
enum class TensorKind : std::uint8_t
{
    weights,     ///< of convolutions and linear layers
    biases,      ///< of the same
    batch_norm,  ///< weight, bias, running mean and variance of batch norms
    scales,      ///< of tensors in int8: one that is hit changes every weight under it
};

/// "weights", "biases", "batch_norm", "scales". \throws Error for a number that is no kind's
[[nodiscard]] std::string to_string(TensorKind kind);
/// Names of all kinds, in the order of the enumeration.
[[nodiscard]] std::vector<std::string> tensor_kind_names();
/// Kind of that name. \throws JobError naming the known ones
[[nodiscard]] TensorKind tensor_kind(std::string_view name);

}  // namespace flipstorm
