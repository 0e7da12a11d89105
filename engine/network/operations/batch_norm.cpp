#include "engine/network/operations/batch_norm.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace flipstorm
{

namespace
{

double factor(float weight, float variance, double epsilon)
{
    return static_cast<double>(weight) / std::sqrt(static_cast<double>(variance) + epsilon);
}

}  // namespace

Shape BatchNormOp::shape(const NodeCheck& node) const
{
    const Shape& in = node.input();
    node.expect((in.size() == 1 || in.size() == 3) && in[0] == channels,
                fmt::format("its input has shape {}, it takes [{}, H, W] or [{}]", in, channels, channels));
    node.expect(std::isfinite(epsilon) && epsilon >= 0,
                fmt::format("epsilon is {}, it must be finite and not negative", epsilon));
    return in;
}

ParameterParts BatchNormOp::parameters() const
{
    return {{".weight", {channels}},
            {".bias", {channels}},
            {".running_mean", {channels}, false},
            {".running_var", {channels}, false}};
}

std::vector<double> BatchNormOp::scale(const std::vector<float>& weight,
                                       const std::vector<float>& variance) const
{
    std::vector<double> scale;
    for (std::size_t c = 0; c < weight.size(); ++c)
        scale.push_back(factor(weight[c], variance[c], epsilon));
    return scale;
}

Gain BatchNormOp::gain(const WeightedNode& node) const
{
    Gain largest = 0;
    for (const double factor : scale(node.parameter(".weight"), node.parameter(".running_var")))
        largest = std::max(largest, std::fabs(factor));
    return largest;
}

/// Of a flattened map, each pixel has a factor of its own.
Gain BatchNormOp::gain_of_channel(const WeightedNode& node, std::int64_t channel) const
{
    const std::int64_t count = node.flat ? node.pixels : 1;
    const std::vector<float>& weight = node.parameter(".weight");
    const std::vector<float>& variance = node.parameter(".running_var");
    Gain largest = 0;
    for (auto k = static_cast<std::size_t>(channel * count);
         k < static_cast<std::size_t>((channel + 1) * count); ++k)
        largest = std::max(largest, std::fabs(factor(weight[k], variance[k], epsilon)));
    return largest;
}

/// Some programs divide by the standard deviation first.
SumBound BatchNormOp::sum_bound(const WeightedNode& node) const
{
    double division = 0;
    for (const float variance : node.parameter(".running_var"))
        division = std::max(division, 1 / std::sqrt(static_cast<double>(variance) + epsilon));
    const Gain value = gain(node);
    return {std::max(value, division), value, {}};
}

}  // namespace flipstorm
