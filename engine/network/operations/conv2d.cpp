#include "engine/network/operations/conv2d.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace flipstorm
{

Shape Conv2dOp::shape(const NodeCheck& node) const
{
    const Shape& in = node.image();
    node.expect(groups > 0 && out_channels > 0 && in_channels % groups == 0 && out_channels % groups == 0,
                fmt::format("{} → {} channels in {} groups", in_channels, out_channels, groups));
    node.expect(in[0] == in_channels,
                fmt::format("its input has {} channels, it takes {}", in[0], in_channels));
    return {out_channels, node.windows(in[1], kernel, stride, padding, dilation),
            node.windows(in[2], kernel, stride, padding, dilation)};
}

ParameterParts Conv2dOp::parameters() const
{
    ParameterParts parts{{".weight", {out_channels, group_inputs(), kernel, kernel}}};
    if (bias) parts.push_back({".bias", {out_channels}});
    return parts;
}

std::int64_t Conv2dOp::macs(const Shape& output) const
{
    return elements(output) * group_inputs() * taps();
}

Spread Conv2dOp::spread(const ChangedInputs& /*inputs*/) const
{
    return {Extent::everything, 0};
}

std::int64_t Conv2dOp::changed_channels(const ChangedCounts& inputs) const
{
    return std::min(out_channels, inputs.count[0] * group_outputs());
}

WindowGrid Conv2dOp::windows(std::int64_t /*height*/, std::int64_t /*width*/) const
{
    return square_windows({kernel, stride, padding, dilation});
}

/// The groups act on different channels: the norm is the largest one's.
Gain Conv2dOp::gain(const WeightedNode& node) const
{
    const std::vector<float>& weight = node.parameter(".weight");
    const std::int64_t rows = group_outputs();
    const std::int64_t columns = group_inputs() * taps();
    double norm = 0;
    for (std::int64_t g = 0; g < groups; ++g)
    {
        norm =
            std::max(norm, node.norm(columns_of(weight, g * rows, rows, columns, 0, columns), rows, columns));
    }
    return norm * static_cast<double>(window_overlap());
}

Gain Conv2dOp::gain_of_channel(const WeightedNode& node, std::int64_t channel) const
{
    const std::int64_t rows = group_outputs();
    const std::vector<float> part =
        columns_of(node.parameter(".weight"), channel / group_inputs() * rows, rows, group_inputs() * taps(),
                   channel % group_inputs() * taps(), taps());
    return node.norm(part, rows, taps()) * static_cast<double>(window_overlap());
}

SumBound Conv2dOp::sum_bound(const WeightedNode& node) const
{
    const float* const weight = node.parameter(".weight").data();
    const std::int64_t rows = group_outputs();
    const std::int64_t columns = group_inputs() * taps();
    SumBound bound{0, 0, {}};
    for (std::int64_t g = 0; g < groups; ++g)
    {
        const RowSums sums(weight + g * rows * columns, rows, columns, taps());
        bound.sums = std::max(bound.sums, sums.whole);
        bound.by_channel.insert(bound.by_channel.end(), sums.by_block.begin(), sums.by_block.end());
    }
    bound.value = bound.sums;
    return bound;
}

}  // namespace flipstorm
