#include "engine/compute/torch/product.hpp"

namespace flipstorm
{

torch::Tensor value_on_torch(const LinearOp& op, const ValueStep& step)
{
    return torch::linear(step.inputs[0], step.parameters[0], op.bias ? step.parameters[1] : torch::Tensor());
}

void prepare_on_torch(const LinearOp& op, const TorchPrepare& from, TorchNode& node)
{
    node.weight = from.parameters[0];
    node.by_channel = weights_by_channel(node.weight.view({op.out_features, -1, from.input.pixels()}), 1);
}

torch::Tensor change_on_torch(const LinearOp& /*op*/, const ChangeStep& step)
{
    const torch::Tensor& change = step.change(step.input());
    if (!step.alone(step.input())) return torch::linear(change, step.prepared().weight);
    const torch::Tensor weight = step.prepared().by_channel.index_select(0, step.channel_of(step.input()));
    return torch::bmm(weight, change.flatten(1).unsqueeze(2)).squeeze(2);
}

TorchTraits torch_traits(const LinearOp& /*op*/)
{
    return {};
}

std::int64_t temporary_floats(const LinearOp& /*op*/, const ChangeFloats& floats)
{
    return product_floats(floats, 0);
}

}  // namespace flipstorm
