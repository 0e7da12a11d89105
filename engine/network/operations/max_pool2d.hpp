#pragma once

#include "engine/network/operations/operation_parts.hpp"

namespace flipstorm
{

/// Maximum over square windows; padding counts as minus infinity.
struct MaxPool2dOp
{
    std::int64_t kernel = 2;
    std::int64_t stride = 2;
    std::int64_t padding = 0;

    static constexpr const char* kName = "max_pool2d";
    static constexpr Linearity kLinearity = Linearity::nonlinear;
    static constexpr bool kKeepsForm = false;
    static constexpr bool kReadsFlat = false;
    static constexpr bool kOwnScale = false;

    template<class Op, class Field>
    static void fields(Op& op, Field&& field)
    {
        field("kernel", op.kernel);
        field("stride", op.stride);
        field("padding", op.padding, 0);
    }

    [[nodiscard]] Shape shape(const NodeCheck& node) const;
    [[nodiscard]] ParameterParts parameters() const { return {}; }
    [[nodiscard]] std::int64_t macs(const Shape& /*output*/) const { return 0; }
    [[nodiscard]] Spread spread(const ChangedInputs& inputs) const { return keeps_channels(inputs); }
    [[nodiscard]] std::int64_t changed_channels(const ChangedCounts& inputs) const { return inputs.count[0]; }
    [[nodiscard]] WindowGrid windows(std::int64_t /*height*/, std::int64_t /*width*/) const
    {
        return square_windows({kernel, stride, padding});
    }
    [[nodiscard]] Gain gain(const WeightedNode& /*node*/) const
    {
        return static_cast<Gain>(overlap(kernel, stride));
    }
    [[nodiscard]] Gain gain_of_channel(const WeightedNode& node, std::int64_t /*channel*/) const
    {
        return gain(node);
    }
    [[nodiscard]] SumBound sum_bound(const WeightedNode& /*node*/) const { return {}; }
};

}  // namespace flipstorm
