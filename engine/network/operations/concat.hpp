#pragma once

#include "engine/network/operations/operation_parts.hpp"

namespace flipstorm
{

/// Values of equal height and width, one after another along the channels; two or more inputs.
struct ConcatOp
{
    static constexpr const char* kName = "concat";
    static constexpr Linearity kLinearity = Linearity::linear;
    static constexpr bool kKeepsForm = false;
    static constexpr bool kReadsFlat = false;
    static constexpr bool kOwnScale = true;

    template<class Op, class Field>
    static void fields(Op& /*op*/, Field&& /*field*/)
    {}

    [[nodiscard]] Shape shape(const NodeCheck& node) const;
    [[nodiscard]] ParameterParts parameters() const { return {}; }
    [[nodiscard]] std::int64_t macs(const Shape& /*output*/) const { return 0; }
    [[nodiscard]] Spread spread(const ChangedInputs& inputs) const;
    [[nodiscard]] std::int64_t changed_channels(const ChangedCounts& inputs) const;
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
