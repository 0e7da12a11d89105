#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{

torch::Tensor value_on_torch(const MaxPool2dOp& op, const ValueStep& step)
{
    return torch::max_pool2d(step.inputs[0], op.kernel, op.stride, op.padding);
}

void prepare_on_torch(const MaxPool2dOp& /*op*/, const TorchPrepare& /*from*/, TorchNode& /*node*/) {}

torch::Tensor change_on_torch(const MaxPool2dOp& /*op*/, const ChangeStep& step)
{
    torch::Tensor faulty = step.golden_of(step.input()).add_(step.change(step.input()));
    return step.apply(faulty).sub_(step.golden());
}

TorchTraits torch_traits(const MaxPool2dOp& /*op*/)
{
    TorchTraits traits;
    traits.golden_input = true;
    traits.golden_output = true;
    return traits;
}

/// The positions of the largest values are 64-bit numbers.
std::int64_t temporary_floats(const MaxPool2dOp& /*op*/, const ChangeFloats& floats)
{
    return 2 * floats.in + 3 * floats.out;
}

}  // namespace flipstorm
