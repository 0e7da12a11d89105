#pragma once

#include "engine/network/operations/operation_parts.hpp"

namespace flipstorm
{

/// Mean over square windows, no padding.
struct AvgPool2dOp
{
    std::int64_t kernel = 2;
    std::int64_t stride = 2;

    static constexpr const char* kName = "avg_pool2d";
    static constexpr Linearity kLinearity = Linearity::linear;
    static constexpr bool kKeepsForm = false;
    static constexpr bool kReadsFlat = false;
    static constexpr bool kOwnScale = true;

    template<class Op, class Field>
    static void fields(Op& op, Field&& field)
    {
        field("kernel", op.kernel);
        field("stride", op.stride);
    }

    [[nodiscard]] Shape shape(const NodeCheck& node) const
    {
        const Shape& in = node.image();
        return {in[0], node.windows(in[1], kernel, stride, 0), node.windows(in[2], kernel, stride, 0)};
    }
    [[nodiscard]] ParameterParts parameters() const { return {}; }
    [[nodiscard]] std::int64_t macs(const Shape& /*output*/) const { return 0; }
    [[nodiscard]] Spread spread(const ChangedInputs& inputs) const { return keeps_channels(inputs); }
    [[nodiscard]] std::int64_t changed_channels(const ChangedCounts& inputs) const { return inputs.count[0]; }
    [[nodiscard]] WindowGrid windows(std::int64_t /*height*/, std::int64_t /*width*/) const
    {
        return square_windows({kernel, stride, 0});
    }
    [[nodiscard]] Gain gain(const WeightedNode& /*node*/) const
    {
        return static_cast<Gain>(overlap(kernel, stride)) / static_cast<Gain>(kernel);
    }
    [[nodiscard]] Gain gain_of_channel(const WeightedNode& node, std::int64_t /*channel*/) const
    {
        return gain(node);
    }
    [[nodiscard]] SumBound sum_bound(const WeightedNode& /*node*/) const
    {
        return {static_cast<double>(kernel * kernel), 1, {}};
    }
};

}  // namespace flipstorm
