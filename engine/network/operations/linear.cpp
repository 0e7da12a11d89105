#include "engine/network/operations/linear.hpp"

#include <fmt/ranges.h>

namespace flipstorm
{

Shape LinearOp::shape(const NodeCheck& node) const
{
    const Shape& in = node.input();
    node.expect(out_features > 0 && in == Shape{in_features},
                fmt::format("its input has shape {}, it takes [{}]", in, in_features));
    return {out_features};
}

ParameterParts LinearOp::parameters() const
{
    ParameterParts parts{{".weight", {out_features, in_features}}};
    if (bias) parts.push_back({".bias", {out_features}});
    return parts;
}

Gain LinearOp::gain(const WeightedNode& node) const
{
    return node.norm(node.parameter(".weight"), out_features, in_features);
}

/// Of a flattened map, a channel is as many columns as it has pixels.
Gain LinearOp::gain_of_channel(const WeightedNode& node, std::int64_t channel) const
{
    return node.norm(columns_of(node.parameter(".weight"), 0, out_features, in_features,
                                channel * node.pixels, node.pixels),
                     out_features, node.pixels);
}

SumBound LinearOp::sum_bound(const WeightedNode& node) const
{
    const RowSums sums(node.parameter(".weight").data(), out_features, in_features, node.pixels);
    return {sums.whole, sums.whole, sums.by_block};
}

}  // namespace flipstorm
