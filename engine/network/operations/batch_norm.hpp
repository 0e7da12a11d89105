#pragma once

#include "engine/network/operations/operation_parts.hpp"

namespace flipstorm
{

/// Batch normalisation with its running statistics; parameters NAME.weight, NAME.bias, NAME.running_mean,
/// NAME.running_var [channels], the last two not trainable. Input [C, H, W] or [features].
struct BatchNormOp
{
    std::int64_t channels = 0;
    double epsilon = 1e-5;

    static constexpr const char* kName = "batch_norm";
    static constexpr Linearity kLinearity = Linearity::linear;
    static constexpr bool kKeepsForm = true;
    static constexpr bool kReadsFlat = false;
    static constexpr bool kOwnScale = true;

    template<class Op, class Field>
    static void fields(Op& op, Field&& field)
    {
        field("channels", op.channels);
        field("epsilon", op.epsilon);
    }

    [[nodiscard]] Shape shape(const NodeCheck& node) const;
    [[nodiscard]] ParameterParts parameters() const;
    [[nodiscard]] std::int64_t macs(const Shape& /*output*/) const { return 0; }
    [[nodiscard]] Spread spread(const ChangedInputs& inputs) const { return keeps_channels(inputs); }
    [[nodiscard]] std::int64_t changed_channels(const ChangedCounts& inputs) const { return inputs.count[0]; }
    [[nodiscard]] WindowGrid windows(std::int64_t /*height*/, std::int64_t /*width*/) const
    {
        return pixel_windows();
    }
    [[nodiscard]] Gain gain(const WeightedNode& node) const;
    [[nodiscard]] Gain gain_of_channel(const WeightedNode& node, std::int64_t channel) const;
    [[nodiscard]] SumBound sum_bound(const WeightedNode& node) const;

    /// What each channel is multiplied by when its statistics are fixed: weight / sqrt(running_var +
    /// epsilon).
    [[nodiscard]] std::vector<double> scale(const std::vector<float>& weight,
                                            const std::vector<float>& variance) const;
};

}  // namespace flipstorm
