#pragma once
// How far a matrix stretches a vector. No LibTorch here.

#include <cstdint>
#include <vector>

namespace flipstorm
{

/// An upper bound on the spectral norm of a matrix [rows, columns], within a few percent.
[[nodiscard]] double spectral_norm_bound(const std::vector<float>& values, std::int64_t rows,
                                         std::int64_t columns);

}  // namespace flipstorm
