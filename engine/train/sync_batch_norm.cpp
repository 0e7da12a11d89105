#include "engine/train/sync_batch_norm.hpp"

#include <array>
#include <cstdint>
#include <vector>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// Per-channel values shaped for a broadcast over `like`.
torch::Tensor spread(const torch::Tensor& values, const torch::Tensor& like)
{
    std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
    shape[1] = values.size(0);
    return values.view(shape);
}

/// Doubles on the host.
torch::Tensor as_doubles(const torch::Tensor& values)
{
    return values.to(torch::kCPU, torch::kFloat64).contiguous();
}

void sum(TrainingRanks& ranks, const torch::Tensor& doubles)
{
    ranks.sum(doubles.data_ptr<double>(), static_cast<std::size_t>(doubles.numel()));
}

/// Mean and biased variance per channel over all ranks, and how many values they are of.
struct Moments
{
    torch::Tensor mean;
    torch::Tensor variance;
    double count = 0;
};

Moments moments_of(const torch::Tensor& input, TrainingRanks& ranks)
{
    const std::int64_t channels = input.size(1);
    // [count, Σx, Σx²]; the sums come from mean and variance, which are exact to a float's last bits.
    const torch::Tensor sums = torch::zeros({2 * channels + 1}, torch::kFloat64);
    if (input.numel() > 0)
    {
        const auto here = static_cast<double>(input.numel() / channels);
        const auto [mean, variance] = at::batch_norm_update_stats(input, {}, {}, 0.0);
        const torch::Tensor m = as_doubles(mean);
        sums[0] = here;
        sums.slice(0, 1, 1 + channels).copy_(m * here);
        sums.slice(0, 1 + channels).copy_((as_doubles(variance) + m * m) * here);
    }
    sum(ranks, sums);
    Moments all;
    all.count = sums[0].item<double>();
    const torch::Tensor mean = sums.slice(0, 1, 1 + channels) / all.count;
    const torch::Tensor variance = (sums.slice(0, 1 + channels) / all.count - mean * mean).clamp_min(0);
    all.mean = mean.to(input.device(), torch::kFloat32);
    all.variance = variance.to(input.device(), torch::kFloat32);
    return all;
}

class SyncBatchNorm : public torch::autograd::Function<SyncBatchNorm>
{
  public:
    static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& input,
                                 const torch::Tensor& weight, const torch::Tensor& bias,
                                 const torch::Tensor& mean, const torch::Tensor& variance, double count,
                                 double epsilon, TrainingRanks* ranks)
    {
        context->save_for_backward({input, weight, mean, variance});
        context->saved_data["count"] = count;
        context->saved_data["epsilon"] = epsilon;
        context->saved_data["ranks"] = reinterpret_cast<std::intptr_t>(ranks);
        if (input.numel() == 0) return torch::empty_like(input);
        return std::get<0>(at::native_batch_norm(input, weight, bias, mean, variance, false, 0.0, epsilon));
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   torch::autograd::variable_list gradients)
    {
        const torch::autograd::variable_list saved = context->get_saved_variables();
        const torch::Tensor& input = saved[0];
        const torch::Tensor& weight = saved[1];
        const torch::Tensor& mean = saved[2];
        const torch::Tensor& variance = saved[3];
        const double count = context->saved_data["count"].toDouble();
        const double epsilon = context->saved_data["epsilon"].toDouble();
        auto* const ranks = reinterpret_cast<TrainingRanks*>(
            static_cast<std::intptr_t>(context->saved_data["ranks"].toInt()));

        torch::Tensor input_gradient = torch::zeros_like(input);
        torch::Tensor weight_gradient = torch::zeros_like(weight);
        torch::Tensor bias_gradient = torch::zeros_like(weight);
        if (input.numel() > 0)
        {
            // With mean and variance held fixed: g γ/σ, Σ g x̂, Σ g.
            std::tie(input_gradient, weight_gradient, bias_gradient) =
                at::native_batch_norm_backward(gradients[0].contiguous(), input, weight, mean, variance, {},
                                               {}, false, epsilon, std::array<bool, 3>{true, true, true});
        }
        const torch::Tensor sums = torch::cat({as_doubles(weight_gradient), as_doubles(bias_gradient)});
        sum(*ranks, sums);
        if (input.numel() > 0)
        {
            // What mean and variance pass back: −γ/σ · (Σ g + x̂ Σ g x̂) / N, with x̂ = (x − μ)/σ.
            const std::int64_t channels = weight.size(0);
            const torch::Tensor inverse = (as_doubles(variance) + epsilon).rsqrt();
            const torch::Tensor scale = as_doubles(weight) * inverse / count;
            const torch::Tensor slope = -scale * sums.slice(0, 0, channels) * inverse;
            const torch::Tensor constant = -scale * sums.slice(0, channels) - slope * as_doubles(mean);
            const auto like_input = [&input](const torch::Tensor& values) {
                return spread(values.to(input.device(), torch::kFloat32), input);
            };
            input_gradient.addcmul_(input, like_input(slope)).add_(like_input(constant));
        }
        return {input_gradient,  weight_gradient, bias_gradient,   torch::Tensor(),
                torch::Tensor(), torch::Tensor(), torch::Tensor(), torch::Tensor()};
    }
};

}  // namespace

torch::Tensor sync_batch_norm(const torch::Tensor& input, const torch::Tensor& weight,
                              const torch::Tensor& bias, const torch::Tensor& running_mean,
                              const torch::Tensor& running_var, double momentum, double epsilon,
                              TrainingRanks& ranks)
{
    const torch::Tensor values = input.contiguous();
    Moments moments;
    {
        const torch::NoGradGuard no_gradients;
        moments = moments_of(values.detach(), ranks);
        FS_CHECK(DataError, moments.count > 1,
                 "a batch with one value per channel has no variance; choose train.batch so that no batch of "
                 "an epoch is a single image");
        const double unbiased = moments.count / (moments.count - 1);
        running_mean.mul_(1 - momentum).add_(moments.mean, momentum);
        running_var.mul_(1 - momentum).add_(moments.variance, momentum * unbiased);
    }
    return SyncBatchNorm::apply(values, weight, bias, moments.mean, moments.variance, moments.count, epsilon,
                                &ranks);
}

}  // namespace flipstorm
