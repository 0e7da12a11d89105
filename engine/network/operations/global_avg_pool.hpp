#pragma once

#include <cmath>

#include "engine/network/operations/operation_parts.hpp"

namespace flipstorm
{

/// Mean over all positions: [C, H, W] → [C, 1, 1].
struct GlobalAvgPoolOp
{
    static constexpr const char* kName = "global_avg_pool";
    static constexpr Linearity kLinearity = Linearity::linear;
    static constexpr bool kKeepsForm = false;
    static constexpr bool kReadsFlat = false;
    static constexpr bool kOwnScale = true;

    template<class Op, class Field>
    static void fields(Op& /*op*/, Field&& /*field*/)
    {}

    [[nodiscard]] Shape shape(const NodeCheck& node) const { return {node.image()[0], 1, 1}; }
    [[nodiscard]] ParameterParts parameters() const { return {}; }
    [[nodiscard]] std::int64_t macs(const Shape& /*output*/) const { return 0; }
    [[nodiscard]] Spread spread(const ChangedInputs& inputs) const { return keeps_channels(inputs); }
    [[nodiscard]] std::int64_t changed_channels(const ChangedCounts& inputs) const { return inputs.count[0]; }
    [[nodiscard]] WindowGrid windows(std::int64_t height, std::int64_t width) const
    {
        return {{height, 1, 0}, {width, 1, 0}};
    }
    [[nodiscard]] Gain gain(const WeightedNode& node) const
    {
        return 1 / std::sqrt(static_cast<Gain>(node.pixels));
    }
    [[nodiscard]] Gain gain_of_channel(const WeightedNode& node, std::int64_t /*channel*/) const
    {
        return gain(node);
    }
    [[nodiscard]] SumBound sum_bound(const WeightedNode& node) const
    {
        return {static_cast<double>(node.pixels), 1, {}};
    }
};

}  // namespace flipstorm
