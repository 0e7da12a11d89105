#pragma once

#include "engine/network/operations/operation_parts.hpp"

namespace flipstorm
{

/// The image batch: node 0 of every graph, and no other.
struct InputOp
{
    static constexpr const char* kName = "input";
    static constexpr Linearity kLinearity = Linearity::linear;
    static constexpr bool kKeepsForm = false;
    static constexpr bool kReadsFlat = false;
    static constexpr bool kOwnScale = true;

    template<class Op, class Field>
    static void fields(Op& /*op*/, Field&& /*field*/)
    {}

    [[nodiscard]] Shape shape(const NodeCheck& node) const
    {
        node.expect(false, "a graph has one input");
        return {};
    }
    [[nodiscard]] ParameterParts parameters() const { return {}; }
    [[nodiscard]] std::int64_t macs(const Shape& /*output*/) const { return 0; }
    [[nodiscard]] Spread spread(const ChangedInputs& /*inputs*/) const { return {}; }
    [[nodiscard]] std::int64_t changed_channels(const ChangedCounts& /*inputs*/) const { return 0; }
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
