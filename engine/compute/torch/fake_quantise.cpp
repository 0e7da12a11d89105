#include "engine/compute/torch/fake_quantise.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// Numbers are clipped so far, in steps, beyond the least and the largest: what rounds to these keeps its
/// gradient, and no clipped one rounds to the next.
constexpr double kBeyond = 0.25;

struct Range
{
    double least = 0;
    double largest = 0;
};

/// Of whole numbers of so many bits.
Range whole_numbers(int bits)
{
    return {-std::ldexp(1.0, bits - 1), std::ldexp(1.0, bits - 1) - 1};
}

int bits_of(const FormatTraits& traits, BitMeaning meaning)
{
    for (const BitField& field : traits.fields)
    {
        if (field.meaning == meaning) return field.bits;
    }
    throw Error("words of {} have no {}", traits.name, to_string(meaning));
}

/// Scales of the outputs, shaped for a broadcast over the values.
torch::Tensor spread(const torch::Tensor& scales, const torch::Tensor& values)
{
    std::vector<std::int64_t> shape(static_cast<std::size_t>(values.dim()), 1);
    if (!shape.empty()) shape[0] = scales.numel();
    return scales.view(shape);
}

torch::Tensor to_whole_numbers(const torch::Tensor& values, int bits, const torch::Tensor& scales)
{
    const Range range = whole_numbers(bits);
    torch::Tensor clipped =
        torch::clamp(values, scales * (range.least - kBeyond), scales * (range.largest + kBeyond));
    const torch::NoGradGuard no_gradients;
    clipped.detach().div_(scales).round_().mul_(scales);
    return clipped;
}

/// To short floating-point numbers: a step is a unit in the last place. \param values  doubles, so that every
/// step is a normal number
torch::Tensor to_short_floats(const torch::Tensor& values, const FormatTraits& traits)
{
    constexpr std::int64_t kBias = 1023;  // of a double
    constexpr std::int64_t kMantissa = 52;
    const std::int64_t bias = (std::int64_t{1} << (bits_of(traits, BitMeaning::exponent) - 1)) - 1;
    const auto largest =
        static_cast<double>(traits.decode(traits.encode(std::numeric_limits<float>::max(), 1), 1));
    torch::Tensor clipped = torch::hardtanh(values, -largest, largest);
    const torch::NoGradGuard no_gradients;
    const torch::Tensor inside = clipped.detach();
    const torch::Tensor exponent =
        inside.abs().view(torch::kLong).bitwise_right_shift(kMantissa).sub_(kBias).clamp_min_(1 - bias);
    const torch::Tensor step = exponent.add_(kBias - bits_of(traits, BitMeaning::mantissa))
                                   .bitwise_left_shift(kMantissa)
                                   .view(torch::kFloat64);
    inside.div_(step).round_().mul_(step);
    return clipped;
}

}  // namespace

bool is_rounded(const Operation& operation)
{
    return has_own_scale(operation) || std::holds_alternative<Relu6Op>(operation);
}

torch::Tensor fake_quantise(const torch::Tensor& value, const StoredActivation& as)
{
    const Range range = whole_numbers(as.bits);
    const auto scale = static_cast<double>(as.scale);
    torch::Tensor clipped =
        torch::hardtanh(value, (range.least - kBeyond) * scale, (range.largest + kBeyond) * scale);
    // In place: it is new, and nothing that computed it needs it.
    const torch::NoGradGuard no_gradients;
    clipped.detach().div_(scale).round_().mul_(scale);
    return clipped;
}

torch::Tensor fake_quantise(const torch::Tensor& values, const FormatTraits& traits,
                            const torch::Tensor& scales)
{
    if (traits.words_are_values) return values;
    const torch::Tensor doubles = values.to(torch::kFloat64);
    const torch::Tensor stored = traits.whole_numbers
                                     ? to_whole_numbers(doubles, traits.bits, spread(scales, values))
                                     : to_short_floats(doubles, traits);
    return stored.to(torch::kFloat32);
}

torch::Tensor weight_scales(const FormatChoice& choice, const FormatTraits& traits,
                            const torch::Tensor& values)
{
    const torch::TensorOptions doubles = values.options().dtype(torch::kFloat64).requires_grad(false);
    switch (traits.scaling)
    {
        case Scaling::none:
            return {};
        case Scaling::power_of_two: {
            const float scale = weight_scales(choice, traits.format, std::vector<float>(), 1).front();
            return torch::full({1}, scale, doubles);
        }
        case Scaling::any:
            break;
    }
    const torch::Tensor weights = values.detach().abs();
    const torch::Tensor largest =
        choice.scale_per_channel ? weights.flatten(1).amax(1) : weights.max().view({1});
    // Divided by a tensor: a GPU multiplies by the inverse of a number.
    const torch::Tensor scales = largest / torch::full_like(largest, whole_numbers(traits.bits).largest);
    return torch::where(scales > 0, scales, torch::ones_like(scales)).to(torch::kFloat64);
}

}  // namespace flipstorm
