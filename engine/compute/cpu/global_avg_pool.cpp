#include <algorithm>

#include "engine/compute/cpu/mean_box.hpp"

namespace flipstorm
{

CpuTraits cpu_traits(const GlobalAvgPoolOp& /*op*/)
{
    return {};
}

bool renames_on_cpu(const GlobalAvgPoolOp& /*op*/, const NativeStep& /*step*/)
{
    return false;
}

void prepare_on_cpu(const GlobalAvgPoolOp& /*op*/, const PrepareContext& /*context*/, NativeNode& /*node*/) {}

void change_on_cpu(const GlobalAvgPoolOp& /*op*/, ChangeBatch& batch, const NativeStep& step)
{
    const PaddedForm& in = batch.form(step.inputs[0].node);
    const std::int64_t channels = step.extent == Extent::everything ? padded(in.channels) : 1;
    const float factor = 1.0F / static_cast<float>(in.pixels());
    for (std::size_t s = 0; s < batch.size(); ++s)
    {
        const float* from = batch.at(step.inputs[0].buffer, s);
        float* to = batch.at(step.buffer, s);
        std::fill_n(to, padded(channels), 0.0F);
        for (std::int64_t p = 0; p < in.pixels(); ++p)
        {
            for (std::int64_t c = 0; c < channels; ++c)
                to[c] += from[p * channels + c];
        }
        for (std::int64_t c = 0; c < channels; ++c)
            to[c] *= factor;
    }
}

void box_on_cpu(const GlobalAvgPoolOp& /*op*/, const BoxStep& step)
{
    mean_box(step);
}

}  // namespace flipstorm
