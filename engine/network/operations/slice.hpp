#pragma once

#include "engine/network/operations/operation_parts.hpp"

namespace flipstorm
{

/// Every step-th element from start up to, not including, end, of one dimension (0: channels, 1: rows,
/// 2: columns).
struct SliceOp
{
    std::int64_t dimension = 0;
    std::int64_t start = 0;
    std::int64_t end = 0;
    std::int64_t step = 1;

    static constexpr const char* kName = "slice";
    static constexpr Linearity kLinearity = Linearity::linear;
    static constexpr bool kKeepsForm = false;
    static constexpr bool kReadsFlat = false;
    static constexpr bool kOwnScale = false;

    template<class Op, class Field>
    static void fields(Op& op, Field&& field)
    {
        field("dimension", op.dimension);
        field("start", op.start);
        field("end", op.end);
        field("step", op.step);
    }

    [[nodiscard]] Shape shape(const NodeCheck& node) const;
    [[nodiscard]] ParameterParts parameters() const { return {}; }
    [[nodiscard]] std::int64_t macs(const Shape& /*output*/) const { return 0; }
    [[nodiscard]] Spread spread(const ChangedInputs& inputs) const;
    [[nodiscard]] std::int64_t changed_channels(const ChangedCounts& inputs) const;
    [[nodiscard]] WindowGrid windows(std::int64_t height, std::int64_t width) const;
    [[nodiscard]] Gain gain(const WeightedNode& /*node*/) const { return 1; }
    [[nodiscard]] Gain gain_of_channel(const WeightedNode& /*node*/, std::int64_t /*channel*/) const
    {
        return 1;
    }
    [[nodiscard]] SumBound sum_bound(const WeightedNode& /*node*/) const { return {}; }
};

}  // namespace flipstorm
