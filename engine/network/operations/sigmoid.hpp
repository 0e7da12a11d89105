#pragma once

#include "engine/network/operations/elementwise.hpp"

namespace flipstorm
{

/// 1 / (1 + e^-x)
struct SigmoidOp : ElementwiseOp
{
    static constexpr const char* kName = "sigmoid";
    static constexpr bool kOwnScale = true;

    [[nodiscard]] Gain gain(const WeightedNode& /*node*/) const { return 0.25; }
    [[nodiscard]] Gain gain_of_channel(const WeightedNode& /*node*/, std::int64_t /*channel*/) const
    {
        return 0.25;
    }
    [[nodiscard]] SumBound sum_bound(const WeightedNode& /*node*/) const { return {}; }
};

}  // namespace flipstorm
