#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{

/// A copy, so that the whole input is not kept alive.
torch::Tensor value_on_torch(const SliceOp& op, const ValueStep& step)
{
    return step.inputs[0].slice(op.dimension + 1, op.start, op.end, op.step).contiguous();
}

void prepare_on_torch(const SliceOp& /*op*/, const TorchPrepare& /*from*/, TorchNode& /*node*/) {}

torch::Tensor change_on_torch(const SliceOp& /*op*/, const ChangeStep& step)
{
    return step.linear_map();
}

TorchTraits torch_traits(const SliceOp& /*op*/)
{
    return {};
}

std::int64_t temporary_floats(const SliceOp& /*op*/, const ChangeFloats& floats)
{
    return floats.inputs;
}

}  // namespace flipstorm
