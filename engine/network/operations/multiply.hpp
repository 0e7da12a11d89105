#pragma once

#include "engine/network/operations/operation_parts.hpp"

namespace flipstorm
{

/// Product of two values, element by element; one of them may be [C, 1, 1], for all pixels of the other.
struct MulOp
{
    static constexpr const char* kName = "multiply";
    static constexpr Linearity kLinearity = Linearity::bilinear;
    static constexpr bool kKeepsForm = true;
    static constexpr bool kReadsFlat = false;
    static constexpr bool kOwnScale = true;

    template<class Op, class Field>
    static void fields(Op& /*op*/, Field&& /*field*/)
    {}

    [[nodiscard]] Shape shape(const NodeCheck& node) const;
    [[nodiscard]] ParameterParts parameters() const { return {}; }
    [[nodiscard]] std::int64_t macs(const Shape& /*output*/) const { return 0; }
    [[nodiscard]] Spread spread(const ChangedInputs& inputs) const { return merged(inputs); }
    [[nodiscard]] std::int64_t changed_channels(const ChangedCounts& inputs) const
    {
        return merged_count(inputs);
    }
    /// One pixel is read for all.
    [[nodiscard]] WindowGrid windows(std::int64_t height, std::int64_t width) const
    {
        return {{1, height == 1 && width == 1 ? 0 : 1, 0}, {1, height == 1 && width == 1 ? 0 : 1, 0}};
    }
    /// It depends on the other value, which depends on the image.
    [[nodiscard]] Gain gain(const WeightedNode& /*node*/) const { return kNoGain; }
    [[nodiscard]] Gain gain_of_channel(const WeightedNode& /*node*/, std::int64_t /*channel*/) const
    {
        return kNoGain;
    }
    [[nodiscard]] SumBound sum_bound(const WeightedNode& /*node*/) const { return {kNoGain, kNoGain, {}}; }
};

}  // namespace flipstorm
