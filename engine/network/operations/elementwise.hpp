#pragma once

#include "engine/network/operations/operation_parts.hpp"

namespace flipstorm
{

/// What all activations share: a function of each element, without fields or parameters.
struct ElementwiseOp
{
    static constexpr Linearity kLinearity = Linearity::nonlinear;
    static constexpr bool kKeepsForm = true;
    static constexpr bool kReadsFlat = true;
    static constexpr bool kOwnScale = false;

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
};

}  // namespace flipstorm
