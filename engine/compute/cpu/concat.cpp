#include <algorithm>

#include "engine/compute/cpu/rearrange.hpp"

namespace flipstorm
{

CpuTraits cpu_traits(const ConcatOp& /*op*/)
{
    return {};
}

/// One channel changes, wherever it lies: the map is the same.
bool renames_on_cpu(const ConcatOp& /*op*/, const NativeStep& step)
{
    return step.extent == Extent::channel;
}

void prepare_on_cpu(const ConcatOp& /*op*/, const PrepareContext& /*context*/, NativeNode& /*node*/) {}

void change_on_cpu(const ConcatOp& /*op*/, ChangeBatch& batch, const NativeStep& step)
{
    const std::vector<NodeId>& inputs = batch.network().graph.node(step.node).inputs;
    clear_output(batch, step);
    for (const ChangedInput& input : step.inputs)
    {
        Placement placement = Placement::whole(batch.form(input.node));
        for (std::size_t k = 0; k < input.position; ++k)
            placement.to[0] += batch.form(inputs[k]).channels;
        place_input(batch, step, input, placement);
    }
}

void box_on_cpu(const ConcatOp& /*op*/, const BoxStep& step)
{
    step.by_pixel([&](std::int64_t y, std::int64_t x, float* out) {
        for (const NodeId input : step.node().inputs)
            out = std::copy_n(step.read(input, y, x), step.form(input).channels, out);
    });
}

}  // namespace flipstorm
