#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{

torch::Tensor value_on_torch(const ConcatOp& /*op*/, const ValueStep& step)
{
    return torch::cat(step.inputs, 1);
}

void prepare_on_torch(const ConcatOp& /*op*/, const TorchPrepare& /*from*/, TorchNode& /*node*/) {}

torch::Tensor change_on_torch(const ConcatOp& /*op*/, const ChangeStep& step)
{
    std::vector<torch::Tensor> parts;
    for (const NodeId input : step.node().inputs)
    {
        const bool changes = step.change(input).defined();
        if (changes && step.alone()) return step.change(input);
        parts.push_back(changes ? step.as_this(input) : step.zeros_of(input));
    }
    return torch::cat(parts, 1);
}

TorchTraits torch_traits(const ConcatOp& /*op*/)
{
    return {};
}

std::int64_t temporary_floats(const ConcatOp& /*op*/, const ChangeFloats& floats)
{
    return floats.inputs;
}

}  // namespace flipstorm
