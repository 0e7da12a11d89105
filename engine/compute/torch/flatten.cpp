#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{

torch::Tensor value_on_torch(const FlattenOp& /*op*/, const ValueStep& step)
{
    return step.inputs[0].flatten(1);
}

void prepare_on_torch(const FlattenOp& /*op*/, const TorchPrepare& /*from*/, TorchNode& /*node*/) {}

torch::Tensor change_on_torch(const FlattenOp& /*op*/, const ChangeStep& step)
{
    return step.alone() ? step.change(step.input()) : step.as_this(step.input()).flatten(1);
}

TorchTraits torch_traits(const FlattenOp& /*op*/)
{
    return {};
}

std::int64_t temporary_floats(const FlattenOp& /*op*/, const ChangeFloats& floats)
{
    return floats.inputs;
}

}  // namespace flipstorm
