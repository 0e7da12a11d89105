#pragma once

#include "engine/network/operations/operation_parts.hpp"

namespace flipstorm
{

/// Zeros added around: channels before and behind, rows above and below, columns left and right.
struct PadOp
{
    std::int64_t channels_before = 0;
    std::int64_t channels_behind = 0;
    std::int64_t top = 0;
    std::int64_t bottom = 0;
    std::int64_t left = 0;
    std::int64_t right = 0;

    static constexpr const char* kName = "pad";
    static constexpr Linearity kLinearity = Linearity::linear;
    static constexpr bool kKeepsForm = false;
    static constexpr bool kReadsFlat = false;
    static constexpr bool kOwnScale = false;

    template<class Op, class Field>
    static void fields(Op& op, Field&& field)
    {
        field("channels_before", op.channels_before);
        field("channels_behind", op.channels_behind);
        field("top", op.top);
        field("bottom", op.bottom);
        field("left", op.left);
        field("right", op.right);
    }

    [[nodiscard]] Shape shape(const NodeCheck& node) const;
    [[nodiscard]] ParameterParts parameters() const { return {}; }
    [[nodiscard]] std::int64_t macs(const Shape& /*output*/) const { return 0; }
    [[nodiscard]] Spread spread(const ChangedInputs& inputs) const
    {
        return {inputs.spread[0].extent, inputs.spread[0].shift + channels_before};
    }
    [[nodiscard]] std::int64_t changed_channels(const ChangedCounts& inputs) const { return inputs.count[0]; }
    [[nodiscard]] WindowGrid windows(std::int64_t /*height*/, std::int64_t /*width*/) const
    {
        return {{1, 1, top}, {1, 1, left}};
    }
    [[nodiscard]] Gain gain(const WeightedNode& /*node*/) const { return 1; }
    [[nodiscard]] Gain gain_of_channel(const WeightedNode& /*node*/, std::int64_t /*channel*/) const
    {
        return 1;
    }
    [[nodiscard]] SumBound sum_bound(const WeightedNode& /*node*/) const { return {}; }
};

}  // namespace flipstorm
