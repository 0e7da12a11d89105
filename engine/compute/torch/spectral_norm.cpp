#include "engine/compute/torch/spectral_norm.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace flipstorm
{

double spectral_norm_bound(const std::vector<float>& values, std::int64_t rows, std::int64_t columns)
{
    const torch::NoGradGuard no_gradients;
    const torch::Tensor matrix =
        torch::from_blob(const_cast<float*>(values.data()), {rows, columns}, torch::kFloat32)
            .to(torch::kFloat64);
    torch::Tensor gram = rows <= columns ? matrix.matmul(matrix.t()) : matrix.t().matmul(matrix);
    // ‖G‖₂^(2^j) ≤ ‖G^(2^j)‖_F, with G scaled before each squaring.
    constexpr int kSquarings = 6;
    double log_bound = 0;
    double weight = 1;
    for (int j = 0; j < kSquarings; ++j)
    {
        const double size = gram.norm().item<double>();
        if (!(size > 0)) return 0;
        log_bound += weight * std::log(size);
        gram = gram / size;
        gram = gram.matmul(gram);
        weight /= 2;
    }
    const double size = gram.norm().item<double>();
    log_bound += weight * std::log(std::max(size, std::numeric_limits<double>::min()));
    return std::exp(log_bound / 2) * (1 + 1e-9);
}

}  // namespace flipstorm
