#include "engine/compute/torch/product.hpp"

namespace flipstorm
{

torch::Tensor value_on_torch(const Conv2dOp& op, const ValueStep& step)
{
    return torch::conv2d(step.inputs[0], step.parameters[0], op.bias ? step.parameters[1] : torch::Tensor(),
                         op.stride, op.padding, op.dilation, op.groups);
}

void prepare_on_torch(const Conv2dOp& op, const TorchPrepare& from, TorchNode& node)
{
    node.weight = from.parameters[0];
    node.by_channel = weights_by_channel(node.weight.flatten(2), op.groups);
}

/// One changed input channel is a batched matrix product with the weights that read it.
torch::Tensor change_on_torch(const Conv2dOp& op, const ChangeStep& step)
{
    const torch::Tensor& change = step.change(step.input());
    if (!step.alone(step.input()))
    {
        return torch::conv2d(change, step.prepared().weight, torch::Tensor(), op.stride, op.padding,
                             op.dilation, op.groups);
    }
    const std::int64_t pairs = change.size(0);
    const torch::Tensor columns = windows(padded_by(change, op), op).reshape({pairs, op.taps(), -1});
    const torch::Tensor channel = step.channel_of(step.input());
    const torch::Tensor product = torch::bmm(step.prepared().by_channel.index_select(0, channel), columns);
    const auto shape = batch_shape(pairs, step.node().shape);
    if (op.groups == 1) return product.view(shape);
    torch::Tensor outputs =
        torch::zeros({pairs, op.groups, product.size(1), product.size(2)}, change.options());
    outputs.index_put_({step.rows(), channel.div(op.group_inputs(), "floor")}, product);
    return outputs.view(shape);
}

TorchTraits torch_traits(const Conv2dOp& /*op*/)
{
    return {};
}

std::int64_t temporary_floats(const Conv2dOp& op, const ChangeFloats& floats)
{
    return product_floats(floats, 2 * op.padding);
}

}  // namespace flipstorm
