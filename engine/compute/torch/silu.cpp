#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{

torch::Tensor value_on_torch(const SiluOp& /*op*/, const ValueStep& step)
{
    return torch::silu(step.inputs[0]);
}

void prepare_on_torch(const SiluOp& /*op*/, const TorchPrepare& /*from*/, TorchNode& /*node*/) {}

torch::Tensor change_on_torch(const SiluOp& /*op*/, const ChangeStep& step)
{
    return step.elementwise();
}

TorchTraits torch_traits(const SiluOp& /*op*/)
{
    TorchTraits traits;
    traits.golden_input = true;
    return traits;
}

std::int64_t temporary_floats(const SiluOp& /*op*/, const ChangeFloats& floats)
{
    return 2 * floats.in;
}

}  // namespace flipstorm
