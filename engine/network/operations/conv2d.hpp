#pragma once

#include <numeric>

#include "engine/network/operations/operation_parts.hpp"

namespace flipstorm
{

/// 2-D convolution, square geometry, zero padding; parameters NAME.weight [out, in / groups, k, k], NAME.bias
/// [out].
struct Conv2dOp
{
    std::int64_t in_channels = 0;
    std::int64_t out_channels = 0;
    std::int64_t kernel = 1;
    std::int64_t stride = 1;
    std::int64_t padding = 0;
    std::int64_t groups = 1;
    bool bias = true;
    std::int64_t dilation = 1;  ///< distance of neighbouring elements of a window

    static constexpr const char* kName = "conv2d";
    static constexpr Linearity kLinearity = Linearity::product;
    static constexpr bool kKeepsForm = false;
    static constexpr bool kReadsFlat = false;
    static constexpr bool kOwnScale = true;

    template<class Op, class Field>
    static void fields(Op& op, Field&& field)
    {
        field("in_channels", op.in_channels);
        field("out_channels", op.out_channels);
        field("kernel", op.kernel);
        field("stride", op.stride);
        field("padding", op.padding);
        field("groups", op.groups);
        field("bias", op.bias);
        field("dilation", op.dilation, 1);
    }

    [[nodiscard]] Shape shape(const NodeCheck& node) const;
    [[nodiscard]] ParameterParts parameters() const;
    [[nodiscard]] std::int64_t macs(const Shape& output) const;
    [[nodiscard]] Spread spread(const ChangedInputs& inputs) const;
    [[nodiscard]] std::int64_t changed_channels(const ChangedCounts& inputs) const;
    [[nodiscard]] WindowGrid windows(std::int64_t height, std::int64_t width) const;
    [[nodiscard]] Gain gain(const WeightedNode& node) const;
    [[nodiscard]] Gain gain_of_channel(const WeightedNode& node, std::int64_t channel) const;
    [[nodiscard]] SumBound sum_bound(const WeightedNode& node) const;

    [[nodiscard]] std::int64_t group_inputs() const { return in_channels / groups; }
    [[nodiscard]] std::int64_t group_outputs() const { return out_channels / groups; }
    [[nodiscard]] std::int64_t taps() const { return kernel * kernel; }
    /// Windows that an input element is in, at most, in one direction.
    [[nodiscard]] std::int64_t window_overlap() const
    {
        return overlap(kernel, stride / std::gcd(stride, dilation));
    }
};

}  // namespace flipstorm
