#pragma once
// What a node of a network can compute: one of the operations of operations/.

#include <string>
#include <variant>

#include "engine/network/operations/add.hpp"
#include "engine/network/operations/avg_pool2d.hpp"
#include "engine/network/operations/batch_norm.hpp"
#include "engine/network/operations/concat.hpp"
#include "engine/network/operations/conv2d.hpp"
#include "engine/network/operations/flatten.hpp"
#include "engine/network/operations/global_avg_pool.hpp"
#include "engine/network/operations/input.hpp"
#include "engine/network/operations/linear.hpp"
#include "engine/network/operations/max_pool2d.hpp"
#include "engine/network/operations/multiply.hpp"
#include "engine/network/operations/pad.hpp"
#include "engine/network/operations/relu.hpp"
#include "engine/network/operations/relu6.hpp"
#include "engine/network/operations/sigmoid.hpp"
#include "engine/network/operations/silu.hpp"
#include "engine/network/operations/slice.hpp"

namespace flipstorm
{

using Operation =
    std::variant<InputOp, Conv2dOp, LinearOp, BatchNormOp, ReluOp, Relu6Op, MaxPool2dOp, AvgPool2dOp,
                 GlobalAvgPoolOp, AddOp, PadOp, SliceOp, ConcatOp, FlattenOp, SigmoidOp, SiluOp, MulOp>;

[[nodiscard]] inline const char* name_of(const Operation& operation)
{
    return std::visit([](const auto& op) { return op.kName; }, operation);
}

[[nodiscard]] inline Linearity linearity(const Operation& operation)
{
    return std::visit([](const auto& op) { return op.kLinearity; }, operation);
}

/// Whether it is a matrix product with weights, which mixes channels: a convolution or linear layer.
[[nodiscard]] inline bool is_product(const Operation& operation)
{
    return linearity(operation) == Linearity::product;
}

/// Whether a first-order estimate in front of it may be far off behind it.
[[nodiscard]] inline bool is_nonlinear(const Operation& operation)
{
    return linearity(operation) == Linearity::nonlinear || linearity(operation) == Linearity::bilinear;
}

/// Whether its value, as a whole number, has a scale of its own, to which it is rounded.
[[nodiscard]] inline bool has_own_scale(const Operation& operation)
{
    return std::visit([](const auto& op) { return op.kOwnScale; }, operation);
}

/// Whether it is a product of two of its inputs.
[[nodiscard]] inline bool is_bilinear(const Operation& operation)
{
    return linearity(operation) == Linearity::bilinear;
}

}  // namespace flipstorm
