#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{

torch::Tensor value_on_torch(const MulOp& /*op*/, const ValueStep& step)
{
    return step.inputs[0] * step.inputs[1];
}

void prepare_on_torch(const MulOp& /*op*/, const TorchPrepare& /*from*/, TorchNode& /*node*/) {}

/// (a + da)(b + db) − ab = da (b + db) + a db
torch::Tensor change_on_torch(const MulOp& /*op*/, const ChangeStep& step)
{
    const NodeId a = step.node().inputs[0];
    const NodeId b = step.node().inputs[1];
    const bool first = step.change(a).defined();
    const bool second = step.change(b).defined();
    torch::Tensor change;
    if (first)
    {
        torch::Tensor faulty = step.golden_as_this(b);
        if (second) faulty = faulty + step.as_this(b);
        change = step.as_this(a) * faulty;
    }
    if (!second) return change;
    const torch::Tensor rest = step.golden_as_this(a) * step.as_this(b);
    return first ? change + rest : rest;
}

TorchTraits torch_traits(const MulOp& /*op*/)
{
    TorchTraits traits;
    traits.golden_inputs = true;
    return traits;
}

/// Golden values of both inputs, and two products.
std::int64_t temporary_floats(const MulOp& /*op*/, const ChangeFloats& floats)
{
    return 2 * floats.inputs + 2 * floats.out;
}

}  // namespace flipstorm
