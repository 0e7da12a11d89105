#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{

torch::Tensor value_on_torch(const AddOp& /*op*/, const ValueStep& step)
{
    return step.inputs[0] + step.inputs[1];
}

void prepare_on_torch(const AddOp& /*op*/, const TorchPrepare& /*from*/, TorchNode& /*node*/) {}

torch::Tensor change_on_torch(const AddOp& /*op*/, const ChangeStep& step)
{
    const std::vector<NodeId>& inputs = step.node().inputs;
    if (!step.change(inputs[0]).defined()) return step.as_this(inputs[1]);
    if (!step.change(inputs[1]).defined()) return step.as_this(inputs[0]);
    return step.as_this(inputs[0]) + step.as_this(inputs[1]);
}

TorchTraits torch_traits(const AddOp& /*op*/)
{
    return {};
}

std::int64_t temporary_floats(const AddOp& /*op*/, const ChangeFloats& floats)
{
    return floats.inputs;
}

}  // namespace flipstorm
