#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{

torch::Tensor value_on_torch(const Relu6Op& /*op*/, const ValueStep& step)
{
    return torch::hardtanh(step.inputs[0], 0, 6);
}

void prepare_on_torch(const Relu6Op& /*op*/, const TorchPrepare& /*from*/, TorchNode& /*node*/) {}

torch::Tensor change_on_torch(const Relu6Op& /*op*/, const ChangeStep& step)
{
    return step.elementwise();
}

TorchTraits torch_traits(const Relu6Op& /*op*/)
{
    TorchTraits traits;
    traits.golden_input = true;
    return traits;
}

std::int64_t temporary_floats(const Relu6Op& /*op*/, const ChangeFloats& floats)
{
    return 2 * floats.in;
}

}  // namespace flipstorm
