#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{

torch::Tensor value_on_torch(const GlobalAvgPoolOp& /*op*/, const ValueStep& step)
{
    return step.inputs[0].mean({2, 3}, true);
}

void prepare_on_torch(const GlobalAvgPoolOp& /*op*/, const TorchPrepare& /*from*/, TorchNode& /*node*/) {}

torch::Tensor change_on_torch(const GlobalAvgPoolOp& /*op*/, const ChangeStep& step)
{
    return step.linear_map();
}

TorchTraits torch_traits(const GlobalAvgPoolOp& /*op*/)
{
    return {};
}

std::int64_t temporary_floats(const GlobalAvgPoolOp& /*op*/, const ChangeFloats& floats)
{
    return floats.inputs;
}

}  // namespace flipstorm
