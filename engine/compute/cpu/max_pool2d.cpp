#include <algorithm>
#include <limits>

#include "engine/compute/cpu/operations.hpp"

namespace flipstorm
{

CpuTraits cpu_traits(const MaxPool2dOp& /*op*/)
{
    CpuTraits traits;
    traits.reads_golden_input = true;
    traits.reads_golden_output = true;
    return traits;
}

bool renames_on_cpu(const MaxPool2dOp& /*op*/, const NativeStep& /*step*/)
{
    return false;
}

void prepare_on_cpu(const MaxPool2dOp& /*op*/, const PrepareContext& /*context*/, NativeNode& /*node*/) {}

void change_on_cpu(const MaxPool2dOp& op, ChangeBatch& batch, const NativeStep& step)
{
    const NodeId input = step.inputs[0].node;
    const PaddedForm& in = batch.form(input);
    const PaddedForm& out = batch.form(step.node);
    const PoolWindow window{in.height,           in.width,  out.height, out.width,
                            padded(in.channels), op.kernel, op.stride,  op.padding};
    std::vector<float>& rows = batch.space().block;
    rows.resize(std::max(rows.size(), static_cast<std::size_t>(padded(in.width) + 2 * kLanes)));
    batch.left().resize(batch.size());
    for (std::size_t s = 0; s < batch.size(); ++s)
    {
        const float* from = batch.at(step.inputs[0].buffer, s);
        float* to = batch.at(step.buffer, s);
        if (step.extent == Extent::everything)
        {
            batch.kernels().max_pool(window, batch.golden_slot(input), from, batch.golden_slot(step.node),
                                     to);
            batch.left()[s] = static_cast<char>(batch.kernels().any(to, out.slot()));
            continue;
        }
        const std::int64_t channel = batch.channel_at(step.node, s);
        batch.kernels().map_pool(window, batch.golden_map(input, channel), from,
                                 batch.golden_map(step.node, channel), rows.data(), to);
        std::fill(to + out.pixels(), to + out.map(), 0.0F);
        batch.left()[s] = static_cast<char>(batch.kernels().any(to, out.pixels()));
    }
}

void box_on_cpu(const MaxPool2dOp& /*op*/, const BoxStep& step)
{
    const NodeId input = step.input();
    const std::int64_t channels = step.channels();
    const WindowGrid windows = windows_of(step.node(), step.form(input));
    step.by_pixel([&](std::int64_t y, std::int64_t x, float* out) {
        const Box window = read_by(windows, {y, y + 1, x, x + 1}, step.form(input));
        std::fill_n(out, channels, -std::numeric_limits<float>::infinity());
        for (std::int64_t v = window.top; v < window.bottom; ++v)
        {
            for (std::int64_t u = window.left; u < window.right; ++u)
            {
                const float* const value = step.read(input, v, u);
                for (std::int64_t c = 0; c < channels; ++c)
                    out[c] = out[c] >= value[c] || out[c] != out[c] ? out[c] : value[c];
            }
        }
    });
}

}  // namespace flipstorm
