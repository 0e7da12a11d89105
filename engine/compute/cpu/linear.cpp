#include "engine/compute/cpu/product.hpp"

namespace flipstorm
{
namespace
{

/// All inputs change: the slots are the kernel's pixels.
void change_of_slots(ChangeBatch& batch, const NativeStep& step)
{
    const PackedLayer& layer = batch.node(step.node).packed;
    const std::int64_t in_step = batch.floats_of(step.inputs[0].buffer);
    const auto slots = static_cast<std::int64_t>(batch.size());
    std::vector<std::ptrdiff_t>& quads = batch.space().quads;
    quads.clear();
    for (std::int64_t s = 0; s < slots; s += 4)
        quads.push_back(s * in_step);
    ProductRow row;
    row.in = batch.at(step.inputs[0].buffer, 0);
    row.quad_offset = quads.data();
    row.pixel_step = in_step;
    row.tap_offset = batch.node(step.node).geometry.taps_slot.data();
    row.channels = layer.group_inputs;
    row.pixels = slots;
    for (const WeightBlock& block : layer.blocks)
    {
        row.weights = layer.weights.data() + block.offset;
        row.tap_weights = layer.group_inputs * block.vectors * kLanes;
        write_block(batch, layer, block, row, batch.at(step.buffer, 0), batch.floats_of(step.buffer));
    }
}

/// One channel of a map, or one neuron, changes.
void change_of_maps(ChangeBatch& batch, const NativeStep& step)
{
    const PackedLayer& layer = batch.node(step.node).packed;
    const std::ptrdiff_t zero = 0;
    ProductRow row;
    row.quad_offset = &zero;
    row.tap_offset = batch.node(step.node).geometry.taps_map.data();
    row.channels = 1;
    row.pixels = 1;
    for (std::size_t s = 0; s < batch.size(); ++s)
    {
        row.in = batch.at(step.inputs[0].buffer, s);
        const std::int64_t channel = batch.channel_at(step.inputs[0].node, s);
        for (const WeightBlock& block : layer.blocks)
        {
            row.weights = layer.weights.data() + block.offset + channel * block.vectors * kLanes;
            row.tap_weights = layer.group_inputs * block.vectors * kLanes;
            write_block(batch, layer, block, row, batch.at(step.buffer, s), 0);
        }
    }
}

}  // namespace

CpuTraits cpu_traits(const LinearOp& /*op*/)
{
    return {};
}

bool renames_on_cpu(const LinearOp& /*op*/, const NativeStep& /*step*/)
{
    return false;
}

void prepare_on_cpu(const LinearOp& op, const PrepareContext& context, NativeNode& node)
{
    const PaddedForm& in = context.input;
    node.packed = packed(context.parameter(".weight"), {op.out_features, 1, in.channels, in.pixels()},
                         context.kernels.most_vectors);
    for (std::int64_t p = 0; p < in.pixels(); ++p)
    {
        node.geometry.taps_map.push_back(p);
        node.geometry.taps_slot.push_back(p * padded(in.channels));
    }
    node.shift = padded_bias(context, op.bias, op.out_features);
}

void change_on_cpu(const LinearOp& /*op*/, ChangeBatch& batch, const NativeStep& step)
{
    count_product(batch, step);
    if (step.inputs[0].extent == Extent::channel)
        change_of_maps(batch, step);
    else
        change_of_slots(batch, step);
}

void box_on_cpu(const LinearOp& /*op*/, const BoxStep& step)
{
    product_box(step);
}

}  // namespace flipstorm
