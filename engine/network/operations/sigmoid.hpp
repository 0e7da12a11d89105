#pragma once

#include "engine/network/operations/operation_parts.hpp"

namespace flipstorm
{

/// 1 / (1 + e^-x)
struct SigmoidOp
{
    static constexpr const char* kName = "sigmoid";
    static constexpr Linearity kLinearity = Linearity::nonlinear;
    static constexpr bool kKeepsForm = true;
    static constexpr bool kReadsFlat = true;

    template<class Op, class Field>
    static void fields(Op& /*op*/, Field&& /*field*/)
    {}

    [[nodiscard]] Shape shape(const NodeCheck& node) const { return node.input(); }
    [[nodiscard]] ParameterParts parameters() const { return {}; }
    [[nodiscard]] std::int64_t macs(const Shape& /*output*/) const { return 0; }
    [[nodiscard]] Spread spread(const ChangedInputs& inputs) const { return keeps_channels(inputs); }
    [[nodiscard]] std::int64_t changed_channels(const ChangedCounts& inputs) const { return inputs.count[0]; }
    [[nodiscard]] WindowGrid windows(std::int64_t /*height*/, std::int64_t /*width*/) const
    {
        return pixel_windows();
    }
    [[nodiscard]] Gain gain(const WeightedNode& /*node*/) const { return 0.25; }
    [[nodiscard]] Gain gain_of_channel(const WeightedNode& /*node*/, std::int64_t /*channel*/) const
    {
        return 0.25;
    }
    [[nodiscard]] SumBound sum_bound(const WeightedNode& /*node*/) const { return {}; }
};

}  // namespace flipstorm
