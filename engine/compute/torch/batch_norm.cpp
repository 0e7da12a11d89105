#include "engine/base/error.hpp"
#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{

torch::Tensor value_on_torch(const BatchNormOp& op, const ValueStep& step)
{
    constexpr double kMomentum = 0.1;  // of the running statistics; PyTorch's default
    const torch::Tensor* const parameters = step.parameters;
    const TrainingHooks* const training = step.training;
    if (training != nullptr && training->batch_norm)
        return training->batch_norm(step.inputs[0], parameters, kMomentum, op.epsilon);
    FS_CHECK(DataError, training == nullptr || step.inputs[0].numel() > op.channels,
             "node '{}': a batch with one value per channel has no variance; choose train.batch so that "
             "no batch of an epoch is a single image",
             step.name);
    return torch::batch_norm(step.inputs[0], parameters[0], parameters[1], parameters[2], parameters[3],
                             training != nullptr, kMomentum, op.epsilon, true);
}

void prepare_on_torch(const BatchNormOp& op, const TorchPrepare& from, TorchNode& node)
{
    node.scale = torch::tensor(op.scale(from.network.values(from.node, ".weight"),
                                        from.network.values(from.node, ".running_var")))
                     .to(torch::kFloat32)
                     .to(from.parameters[0].device());
}

torch::Tensor change_on_torch(const BatchNormOp& /*op*/, const ChangeStep& step)
{
    const torch::Tensor& scale = step.prepared().scale;
    const torch::Tensor& change = step.change(step.input());
    if (step.alone()) return change * scale.index_select(0, step.channel()).view({-1, 1, 1, 1});
    return step.node().shape.size() == 3 ? change * scale.view({-1, 1, 1}) : change * scale;
}

TorchTraits torch_traits(const BatchNormOp& /*op*/)
{
    return {};
}

std::int64_t temporary_floats(const BatchNormOp& /*op*/, const ChangeFloats& floats)
{
    return floats.inputs;
}

}  // namespace flipstorm
