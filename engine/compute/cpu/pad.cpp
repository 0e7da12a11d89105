#include <algorithm>

#include "engine/compute/cpu/rearrange.hpp"

namespace flipstorm
{

CpuTraits cpu_traits(const PadOp& /*op*/)
{
    return {};
}

/// Channels are added, no pixels: the map is the same.
bool renames_on_cpu(const PadOp& op, const NativeStep& step)
{
    return step.extent == Extent::channel && op.top == 0 && op.bottom == 0 && op.left == 0 && op.right == 0;
}

void prepare_on_cpu(const PadOp& /*op*/, const PrepareContext& /*context*/, NativeNode& /*node*/) {}

void change_on_cpu(const PadOp& op, ChangeBatch& batch, const NativeStep& step)
{
    Placement placement = Placement::whole(batch.form(step.inputs[0].node));
    placement.to = {op.channels_before, op.top, op.left};
    clear_output(batch, step);
    place_input(batch, step, step.inputs[0], placement);
}

void box_on_cpu(const PadOp& op, const BoxStep& step)
{
    const NodeId input = step.input();
    const PaddedForm& in = step.form(input);
    step.by_pixel([&](std::int64_t y, std::int64_t x, float* out) {
        std::fill_n(out, step.form(step.id).channels, 0.0F);
        const std::int64_t v = y - op.top;
        const std::int64_t u = x - op.left;
        if (v < 0 || v >= in.height || u < 0 || u >= in.width) return;
        std::copy_n(step.read(input, v, u), in.channels, out + op.channels_before);
    });
}

}  // namespace flipstorm
