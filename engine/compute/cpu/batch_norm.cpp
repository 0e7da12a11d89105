#include "engine/compute/cpu/operations.hpp"

namespace flipstorm
{

CpuTraits cpu_traits(const BatchNormOp& /*op*/)
{
    CpuTraits traits;
    traits.in_place = true;
    return traits;
}

bool renames_on_cpu(const BatchNormOp& /*op*/, const NativeStep& /*step*/)
{
    return false;
}

void prepare_on_cpu(const BatchNormOp& op, const PrepareContext& context, NativeNode& node)
{
    const std::vector<double> scale =
        op.scale(context.parameter(".weight"), context.parameter(".running_var"));
    const std::vector<float>& bias = context.parameter(".bias");
    const std::vector<float>& mean = context.parameter(".running_mean");
    node.scale.assign(static_cast<std::size_t>(padded(op.channels)), 0.0F);
    node.shift = node.scale;
    for (std::size_t c = 0; c < scale.size(); ++c)
    {
        node.scale[c] = static_cast<float>(scale[c]);
        node.shift[c] =
            static_cast<float>(static_cast<double>(bias[c]) - static_cast<double>(mean[c]) * scale[c]);
    }
}

void change_on_cpu(const BatchNormOp& /*op*/, ChangeBatch& batch, const NativeStep& step)
{
    const PaddedForm& form = batch.form(step.node);
    const std::vector<float>& scale = batch.node(step.node).scale;
    for (std::size_t s = 0; s < batch.size(); ++s)
    {
        const float* from = batch.at(step.inputs[0].buffer, s);
        float* to = batch.at(step.buffer, s);
        if (step.extent == Extent::everything)
        {
            batch.kernels().scale(from, scale.data(), to, form.pixels(), padded(form.channels));
            continue;
        }
        const float factor = scale[static_cast<std::size_t>(batch.channel_at(step.node, s))];
        batch.kernels().multiply(from, factor, to, form.map());
    }
}

void box_on_cpu(const BatchNormOp& /*op*/, const BoxStep& step)
{
    const float* const scale = step.native().scale.data();
    const float* const shift = step.native().shift.data();
    const std::int64_t channels = step.channels();
    step.by_row([&](const float* in, const float*, float* out, std::int64_t count) {
        for (std::int64_t i = 0; i < count; i += channels)
        {
            for (std::int64_t c = 0; c < channels; ++c)
                out[i + c] = in[i + c] * scale[c] + shift[c];
        }
    });
}

}  // namespace flipstorm
