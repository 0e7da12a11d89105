#include <algorithm>

#include "engine/compute/cpu/mean_box.hpp"

namespace flipstorm
{

void mean_box(const BoxStep& step)
{
    const NodeId input = step.input();
    const std::int64_t channels = step.channels();
    const WindowGrid windows = windows_of(step.node(), step.form(input));
    const float factor = 1.0F / static_cast<float>(windows.rows.kernel * windows.columns.kernel);
    step.by_pixel([&](std::int64_t y, std::int64_t x, float* out) {
        const Box window = read_by(windows, {y, y + 1, x, x + 1}, step.form(input));
        std::fill_n(out, channels, 0.0F);
        for (std::int64_t v = window.top; v < window.bottom; ++v)
        {
            const float* value = step.read(input, v, window.left);
            for (std::int64_t u = window.left; u < window.right; ++u, value += channels)
            {
                for (std::int64_t c = 0; c < channels; ++c)
                    out[c] += value[c];
            }
        }
        for (std::int64_t c = 0; c < channels; ++c)
            out[c] *= factor;
    });
}

CpuTraits cpu_traits(const AvgPool2dOp& /*op*/)
{
    return {};
}

bool renames_on_cpu(const AvgPool2dOp& /*op*/, const NativeStep& /*step*/)
{
    return false;
}

void prepare_on_cpu(const AvgPool2dOp& /*op*/, const PrepareContext& /*context*/, NativeNode& /*node*/) {}

void change_on_cpu(const AvgPool2dOp& op, ChangeBatch& batch, const NativeStep& step)
{
    const PaddedForm& in = batch.form(step.inputs[0].node);
    const PaddedForm& out = batch.form(step.node);
    const bool all = step.extent == Extent::everything;
    const std::int64_t channels = all ? padded(in.channels) : 1;
    const float factor = 1.0F / static_cast<float>(op.kernel * op.kernel);
    for (std::size_t s = 0; s < batch.size(); ++s)
    {
        const float* from = batch.at(step.inputs[0].buffer, s);
        float* to = batch.at(step.buffer, s);
        std::fill_n(to, all ? out.slot() : out.map(), 0.0F);
        for (std::int64_t pixel = 0; pixel < out.pixels(); ++pixel)
        {
            const std::int64_t y = pixel / out.width * op.stride;
            const std::int64_t x = pixel % out.width * op.stride;
            float* mean = to + pixel * channels;
            for (std::int64_t k = 0; k < op.kernel * op.kernel; ++k)
            {
                const float* value = from + ((y + k / op.kernel) * in.width + x + k % op.kernel) * channels;
                for (std::int64_t c = 0; c < channels; ++c)
                    mean[c] += value[c];
            }
            for (std::int64_t c = 0; c < channels; ++c)
                mean[c] *= factor;
        }
    }
}

void box_on_cpu(const AvgPool2dOp& /*op*/, const BoxStep& step)
{
    mean_box(step);
}

}  // namespace flipstorm
