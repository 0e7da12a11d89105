#pragma once

#include "engine/network/operations/operation_parts.hpp"

namespace flipstorm
{

/// [C, H, W] → [C·H·W]
struct FlattenOp
{
    static constexpr const char* kName = "flatten";
    static constexpr Linearity kLinearity = Linearity::linear;
    static constexpr bool kKeepsForm = true;
    static constexpr bool kReadsFlat = true;
    static constexpr bool kOwnScale = false;

    template<class Op, class Field>
    static void fields(Op& /*op*/, Field&& /*field*/)
    {}

    [[nodiscard]] Shape shape(const NodeCheck& node) const { return {elements(node.input())}; }
    [[nodiscard]] ParameterParts parameters() const { return {}; }
    [[nodiscard]] std::int64_t macs(const Shape& /*output*/) const { return 0; }
    [[nodiscard]] Spread spread(const ChangedInputs& inputs) const { return keeps_channels(inputs); }
    [[nodiscard]] std::int64_t changed_channels(const ChangedCounts& inputs) const
    {
        return inputs.count[0] * (elements(inputs.input_shape) / inputs.input_shape[0]);
    }
    [[nodiscard]] WindowGrid windows(std::int64_t /*height*/, std::int64_t /*width*/) const
    {
        return pixel_windows();
    }
    [[nodiscard]] Gain gain(const WeightedNode& /*node*/) const { return 1; }
    [[nodiscard]] Gain gain_of_channel(const WeightedNode& /*node*/, std::int64_t /*channel*/) const
    {
        return 1;
    }
    [[nodiscard]] SumBound sum_bound(const WeightedNode& /*node*/) const { return {}; }
};

}  // namespace flipstorm
