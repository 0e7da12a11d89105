#pragma once

#include "engine/network/operations/operation_parts.hpp"

namespace flipstorm
{

/// Fully connected layer; parameters NAME.weight [out, in], NAME.bias [out].
struct LinearOp
{
    std::int64_t in_features = 0;
    std::int64_t out_features = 0;
    bool bias = true;

    static constexpr const char* kName = "linear";
    static constexpr Linearity kLinearity = Linearity::product;
    static constexpr bool kKeepsForm = false;
    static constexpr bool kReadsFlat = true;
    static constexpr bool kOwnScale = true;

    template<class Op, class Field>
    static void fields(Op& op, Field&& field)
    {
        field("in_features", op.in_features);
        field("out_features", op.out_features);
        field("bias", op.bias);
    }

    [[nodiscard]] Shape shape(const NodeCheck& node) const;
    [[nodiscard]] ParameterParts parameters() const;
    [[nodiscard]] std::int64_t macs(const Shape& /*output*/) const { return in_features * out_features; }
    [[nodiscard]] Spread spread(const ChangedInputs& /*inputs*/) const { return {Extent::everything, 0}; }
    [[nodiscard]] std::int64_t changed_channels(const ChangedCounts& /*inputs*/) const
    {
        return out_features;
    }
    [[nodiscard]] WindowGrid windows(std::int64_t height, std::int64_t width) const
    {
        return {{height, 1, 0}, {width, 1, 0}};
    }
    [[nodiscard]] Gain gain(const WeightedNode& node) const;
    [[nodiscard]] Gain gain_of_channel(const WeightedNode& node, std::int64_t channel) const;
    [[nodiscard]] SumBound sum_bound(const WeightedNode& node) const;
};

}  // namespace flipstorm
