#pragma once

#include "engine/network/operations/elementwise.hpp"

namespace flipstorm
{

/// x / (1 + e^-x), also called swish. Its steepest slope is 1.0998 (at x = 2.3994).
struct SiluOp : ElementwiseOp
{
    static constexpr const char* kName = "silu";
    static constexpr bool kOwnScale = true;
    static constexpr double kSteepest = 1.0999;

    [[nodiscard]] Gain gain(const WeightedNode& /*node*/) const { return kSteepest; }
    [[nodiscard]] Gain gain_of_channel(const WeightedNode& /*node*/, std::int64_t /*channel*/) const
    {
        return kSteepest;
    }
    [[nodiscard]] SumBound sum_bound(const WeightedNode& /*node*/) const
    {
        return {kSteepest, kSteepest, {}};
    }
};

}  // namespace flipstorm
