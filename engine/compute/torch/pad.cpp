#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{

torch::Tensor value_on_torch(const PadOp& op, const ValueStep& step)
{
    return torch::constant_pad_nd(
        step.inputs[0], {op.left, op.right, op.top, op.bottom, op.channels_before, op.channels_behind});
}

void prepare_on_torch(const PadOp& /*op*/, const TorchPrepare& /*from*/, TorchNode& /*node*/) {}

torch::Tensor change_on_torch(const PadOp& op, const ChangeStep& step)
{
    if (!step.alone()) return step.linear_map();
    return torch::constant_pad_nd(step.change(step.input()), {op.left, op.right, op.top, op.bottom});
}

TorchTraits torch_traits(const PadOp& /*op*/)
{
    return {};
}

std::int64_t temporary_floats(const PadOp& /*op*/, const ChangeFloats& floats)
{
    return floats.inputs;
}

}  // namespace flipstorm
