#include "engine/base/error.hpp"
#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{

torch::Tensor value_on_torch(const InputOp& /*op*/, const ValueStep& /*step*/)
{
    throw Error("the input node cannot be computed");
}

void prepare_on_torch(const InputOp& /*op*/, const TorchPrepare& /*from*/, TorchNode& /*node*/) {}

torch::Tensor change_on_torch(const InputOp& /*op*/, const ChangeStep& /*step*/)
{
    throw Error("the input node never changes");
}

TorchTraits torch_traits(const InputOp& /*op*/)
{
    return {};
}

std::int64_t temporary_floats(const InputOp& /*op*/, const ChangeFloats& floats)
{
    return floats.inputs;
}

}  // namespace flipstorm
