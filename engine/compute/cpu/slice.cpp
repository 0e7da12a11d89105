#include "engine/compute/cpu/rearrange.hpp"

namespace flipstorm
{

CpuTraits cpu_traits(const SliceOp& /*op*/)
{
    return {};
}

bool renames_on_cpu(const SliceOp& /*op*/, const NativeStep& /*step*/)
{
    return false;
}

void prepare_on_cpu(const SliceOp& /*op*/, const PrepareContext& /*context*/, NativeNode& /*node*/) {}

void change_on_cpu(const SliceOp& op, ChangeBatch& batch, const NativeStep& step)
{
    Placement placement = Placement::whole(batch.form(step.inputs[0].node));
    const auto d = static_cast<std::size_t>(op.dimension);
    placement.first.at(d) = op.start;
    placement.end.at(d) = op.end;
    placement.step.at(d) = op.step;
    clear_output(batch, step);
    place_input(batch, step, step.inputs[0], placement);
}

void box_on_cpu(const SliceOp& op, const BoxStep& step)
{
    const NodeId input = step.input();
    std::array<std::int64_t, 3> first{0, 0, 0};
    std::array<std::int64_t, 3> stride{1, 1, 1};
    first.at(static_cast<std::size_t>(op.dimension)) = op.start;
    stride.at(static_cast<std::size_t>(op.dimension)) = op.step;
    step.by_pixel([&](std::int64_t y, std::int64_t x, float* out) {
        const float* const value = step.read(input, first[1] + y * stride[1], first[2] + x * stride[2]);
        for (std::int64_t c = 0; c < step.form(step.id).channels; ++c)
            out[c] = value[first[0] + c * stride[0]];
    });
}

}  // namespace flipstorm
