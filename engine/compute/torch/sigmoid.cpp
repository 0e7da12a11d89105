#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{

torch::Tensor value_on_torch(const SigmoidOp& /*op*/, const ValueStep& step)
{
    return torch::sigmoid(step.inputs[0]);
}

void prepare_on_torch(const SigmoidOp& /*op*/, const TorchPrepare& /*from*/, TorchNode& /*node*/) {}

torch::Tensor change_on_torch(const SigmoidOp& /*op*/, const ChangeStep& step)
{
    return step.elementwise();
}

TorchTraits torch_traits(const SigmoidOp& /*op*/)
{
    TorchTraits traits;
    traits.golden_input = true;
    return traits;
}

std::int64_t temporary_floats(const SigmoidOp& /*op*/, const ChangeFloats& floats)
{
    return 2 * floats.in;
}

}  // namespace flipstorm
