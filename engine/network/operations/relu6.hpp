#pragma once

#include "engine/network/operations/elementwise.hpp"

namespace flipstorm
{

/// min(max(x, 0), 6)
struct Relu6Op : ElementwiseOp
{
    static constexpr const char* kName = "relu6";

    [[nodiscard]] Gain gain(const WeightedNode& /*node*/) const { return 1; }
    [[nodiscard]] Gain gain_of_channel(const WeightedNode& /*node*/, std::int64_t /*channel*/) const
    {
        return 1;
    }
    [[nodiscard]] SumBound sum_bound(const WeightedNode& /*node*/) const { return {}; }
};

}  // namespace flipstorm
