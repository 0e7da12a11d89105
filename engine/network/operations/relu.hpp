#pragma once

#include "engine/network/operations/elementwise.hpp"

namespace flipstorm
{

/// max(x, 0)
struct ReluOp : ElementwiseOp
{
    static constexpr const char* kName = "relu";

    [[nodiscard]] Gain gain(const WeightedNode& /*node*/) const { return 1; }
    [[nodiscard]] Gain gain_of_channel(const WeightedNode& /*node*/, std::int64_t /*channel*/) const
    {
        return 1;
    }
    [[nodiscard]] SumBound sum_bound(const WeightedNode& /*node*/) const { return {}; }
};

}  // namespace flipstorm
