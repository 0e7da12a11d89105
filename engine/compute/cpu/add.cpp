#include <algorithm>
#include <cstring>

#include "engine/compute/cpu/operations.hpp"

namespace flipstorm
{
namespace
{

/// One input, or both, changes in one channel of many.
void add_channels(ChangeBatch& batch, const NativeStep& step, std::size_t s)
{
    const PaddedForm& form = batch.form(step.node);
    const std::int64_t channels = padded(form.channels);
    float* to = batch.at(step.buffer, s);
    const float* first = batch.at(step.inputs[0].buffer, s);
    if (step.inputs[0].extent == Extent::everything)
    {
        if (first != to) std::memcpy(to, first, static_cast<std::size_t>(form.slot()) * sizeof(float));
    }
    else
    {
        std::fill_n(to, form.slot(), 0.0F);
        const std::int64_t channel = batch.channel_at(step.inputs[0].node, s);
        for (std::int64_t p = 0; p < form.pixels(); ++p)
            to[p * channels + channel] = first[p];
    }
    const float* second = batch.at(step.inputs[1].buffer, s);
    const std::int64_t channel = batch.channel_at(step.inputs[1].node, s);
    for (std::int64_t p = 0; p < form.pixels(); ++p)
        to[p * channels + channel] += second[p];
}

}  // namespace

CpuTraits cpu_traits(const AddOp& /*op*/)
{
    CpuTraits traits;
    traits.in_place = true;
    traits.any_order = true;
    return traits;
}

bool renames_on_cpu(const AddOp& /*op*/, const NativeStep& step)
{
    return step.inputs.size() == 1;
}

void prepare_on_cpu(const AddOp& /*op*/, const PrepareContext& /*context*/, NativeNode& /*node*/) {}

void change_on_cpu(const AddOp& /*op*/, ChangeBatch& batch, const NativeStep& step)
{
    const PaddedForm& form = batch.form(step.node);
    const bool alike = step.inputs[0].extent == step.extent && step.inputs[1].extent == step.extent;
    for (std::size_t s = 0; s < batch.size(); ++s)
    {
        if (alike)
        {
            batch.kernels().add(batch.at(step.inputs[0].buffer, s), batch.at(step.inputs[1].buffer, s),
                                batch.at(step.buffer, s),
                                step.extent == Extent::everything ? form.slot() : form.map());
        }
        else
            add_channels(batch, step, s);
    }
}

void box_on_cpu(const AddOp& /*op*/, const BoxStep& step)
{
    step.by_row([](const float* a, const float* b, float* out, std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i)
            out[i] = a[i] + b[i];
    });
}

}  // namespace flipstorm
