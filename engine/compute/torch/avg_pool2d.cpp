#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{

torch::Tensor value_on_torch(const AvgPool2dOp& op, const ValueStep& step)
{
    return torch::avg_pool2d(step.inputs[0], op.kernel, op.stride);
}

void prepare_on_torch(const AvgPool2dOp& /*op*/, const TorchPrepare& /*from*/, TorchNode& /*node*/) {}

torch::Tensor change_on_torch(const AvgPool2dOp& /*op*/, const ChangeStep& step)
{
    return step.linear_map();
}

TorchTraits torch_traits(const AvgPool2dOp& /*op*/)
{
    return {};
}

std::int64_t temporary_floats(const AvgPool2dOp& /*op*/, const ChangeFloats& floats)
{
    return floats.inputs;
}

}  // namespace flipstorm
