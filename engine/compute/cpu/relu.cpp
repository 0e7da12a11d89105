#include <limits>

#include "engine/compute/cpu/clipped.hpp"

namespace flipstorm
{

void clipped_change(ChangeBatch& batch, const NativeStep& step, float ceiling)
{
    const NodeId input = step.inputs[0].node;
    const bool all = step.extent == Extent::everything;
    const std::int64_t floats = all ? batch.form(input).slot() : batch.form(input).map();
    batch.left().resize(batch.size());
    for (std::size_t s = 0; s < batch.size(); ++s)
    {
        const float* golden =
            all ? batch.golden_slot(input) : batch.golden_map(input, batch.channel_at(input, s));
        batch.left()[s] = static_cast<char>(batch.kernels().relu(golden, batch.at(step.inputs[0].buffer, s),
                                                                 batch.at(step.buffer, s), floats, ceiling));
    }
}

CpuTraits cpu_traits(const ReluOp& /*op*/)
{
    return clipped_traits();
}

bool renames_on_cpu(const ReluOp& /*op*/, const NativeStep& /*step*/)
{
    return false;
}

void prepare_on_cpu(const ReluOp& /*op*/, const PrepareContext& /*context*/, NativeNode& /*node*/) {}

void change_on_cpu(const ReluOp& /*op*/, ChangeBatch& batch, const NativeStep& step)
{
    clipped_change(batch, step, std::numeric_limits<float>::infinity());
}

void box_on_cpu(const ReluOp& /*op*/, const BoxStep& step)
{
    step.by_row([](const float* in, const float*, float* out, std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i)
            out[i] = in[i] < 0 ? 0 : in[i];  // a NaN stays one
    });
}

}  // namespace flipstorm
