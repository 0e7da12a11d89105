#include <algorithm>
#include <cstring>

#include "engine/compute/cpu/product.hpp"

namespace flipstorm
{
namespace
{

ConvGeometry conv_geometry(const Conv2dOp& op, const PaddedForm& in, const PaddedForm& out)
{
    ConvGeometry geometry;
    geometry.frame = op.padding;
    geometry.framed_height = in.height + 2 * op.padding;
    geometry.framed_width = in.width + 2 * op.padding;
    const std::int64_t channels = padded(in.channels);
    for (std::int64_t y = 0; y < op.kernel; ++y)
    {
        for (std::int64_t x = 0; x < op.kernel; ++x)
        {
            const std::int64_t tap = (y * geometry.framed_width + x) * op.dilation;
            geometry.taps_map.push_back(tap);
            geometry.taps_slot.push_back(tap * channels);
        }
    }
    const bool whole = out.width % 4 == 0;
    geometry.pixels_per_call = whole ? out.pixels() : out.width;
    geometry.call_step_map = op.stride * geometry.framed_width;
    geometry.call_step_slot = geometry.call_step_map * channels;
    for (std::int64_t pixel = 0; pixel < geometry.pixels_per_call; pixel += 4)
    {
        const std::int64_t at =
            pixel / out.width * op.stride * geometry.framed_width + pixel % out.width * op.stride;
        geometry.quads_map.push_back(at);
        geometry.quads_slot.push_back(at * channels);
    }
    return geometry;
}

/// A slot with a frame of zeros around.
void frame_slot(const float* from, const PaddedForm& in, const ConvGeometry& geometry, float* to)
{
    const std::int64_t channels = padded(in.channels);
    const std::int64_t frame = geometry.frame;
    const std::int64_t row_floats = in.width * channels;
    const std::int64_t framed_row = geometry.framed_width * channels;
    std::fill_n(to, frame * framed_row, 0.0F);
    for (std::int64_t y = 0; y < in.height; ++y)
    {
        float* row = to + (y + frame) * framed_row;
        std::fill_n(row, frame * channels, 0.0F);
        std::memcpy(row + frame * channels, from + y * row_floats,
                    static_cast<std::size_t>(row_floats) * sizeof(float));
        std::fill_n(row + frame * channels + row_floats, frame * channels, 0.0F);
    }
    std::fill_n(to + (frame + in.height) * framed_row, frame * framed_row, 0.0F);
}

/// All input channels change.
void change_of_slots(const Conv2dOp& op, ChangeBatch& batch, const NativeStep& step)
{
    const ConvGeometry& geometry = batch.node(step.node).geometry;
    const PackedLayer& layer = batch.node(step.node).packed;
    const PaddedForm& in = batch.form(step.inputs[0].node);
    const std::int64_t out_channels = padded(batch.form(step.node).channels);
    const std::int64_t frame_floats = batch.program().frame_floats;
    float* const frames = batch.space().frames.data();
    const bool framed = geometry.frame > 0;
    for (std::size_t s = 0; framed && s < batch.size(); ++s)
    {
        frame_slot(batch.at(step.inputs[0].buffer, s), in, geometry,
                   frames + static_cast<std::int64_t>(s) * frame_floats);
    }
    ProductRow row;
    row.quad_offset = geometry.quads_slot.data();
    row.pixel_step = op.stride * padded(in.channels);
    row.tap_offset = geometry.taps_slot.data();
    row.channels = layer.group_inputs;
    row.pixels = geometry.pixels_per_call;
    const std::int64_t calls = batch.form(step.node).pixels() / geometry.pixels_per_call;
    for (const WeightBlock& block : layer.blocks)
    {
        row.weights = layer.weights.data() + block.offset;
        row.tap_weights = layer.group_inputs * block.vectors * kLanes;
        for (std::size_t s = 0; s < batch.size(); ++s)
        {
            const float* base = framed ? frames + static_cast<std::int64_t>(s) * frame_floats
                                       : batch.at(step.inputs[0].buffer, s);
            for (std::int64_t call = 0; call < calls; ++call)
            {
                row.in = base + call * geometry.call_step_slot + block.group * layer.group_inputs;
                write_block(batch, layer, block, row,
                            batch.at(step.buffer, s) + call * geometry.pixels_per_call * out_channels,
                            out_channels);
            }
        }
    }
}

/// One input channel changes.
void change_of_maps(const Conv2dOp& op, ChangeBatch& batch, const NativeStep& step)
{
    const ConvGeometry& geometry = batch.node(step.node).geometry;
    const PackedLayer& layer = batch.node(step.node).packed;
    const PaddedForm& in = batch.form(step.inputs[0].node);
    const PaddedForm& out = batch.form(step.node);
    const std::int64_t frame = geometry.frame;
    const std::int64_t calls = out.pixels() / geometry.pixels_per_call;
    ProductRow row;
    row.quad_offset = geometry.quads_map.data();
    row.pixel_step = op.stride;
    row.tap_offset = geometry.taps_map.data();
    row.channels = 1;
    row.pixels = geometry.pixels_per_call;
    for (std::size_t s = 0; s < batch.size(); ++s)
    {
        const float* base = batch.at(step.inputs[0].buffer, s);
        if (frame > 0)
        {
            float* to = batch.space().frames.data();
            std::fill_n(to, geometry.framed_height * geometry.framed_width, 0.0F);
            for (std::int64_t y = 0; y < in.height; ++y)
            {
                std::memcpy(to + (y + frame) * geometry.framed_width + frame, base + y * in.width,
                            static_cast<std::size_t>(in.width) * sizeof(float));
            }
            base = to;
        }
        const std::int64_t channel = batch.channel_at(step.inputs[0].node, s);
        const std::int64_t group = channel / layer.group_inputs;
        float* to = batch.at(step.buffer, s);
        if (layer.groups > 1) std::fill_n(to, out.slot(), 0.0F);
        for (const WeightBlock& block : layer.blocks)
        {
            if (block.group != group) continue;
            row.weights =
                layer.weights.data() + block.offset + channel % layer.group_inputs * block.vectors * kLanes;
            row.tap_weights = layer.group_inputs * block.vectors * kLanes;
            for (std::int64_t call = 0; call < calls; ++call)
            {
                row.in = base + call * geometry.call_step_map;
                write_block(batch, layer, block, row,
                            to + call * geometry.pixels_per_call * padded(out.channels),
                            padded(out.channels));
            }
        }
    }
}

}  // namespace

CpuTraits cpu_traits(const Conv2dOp& /*op*/)
{
    return {};
}

bool renames_on_cpu(const Conv2dOp& /*op*/, const NativeStep& /*step*/)
{
    return false;
}

void prepare_on_cpu(const Conv2dOp& op, const PrepareContext& context, NativeNode& node)
{
    node.packed =
        packed(context.parameter(".weight"), {op.out_channels, op.groups, op.group_inputs(), op.taps()},
               context.kernels.most_vectors);
    node.geometry = conv_geometry(op, context.input, node.form);
    node.shift = padded_bias(context, op.bias, op.out_channels);
}

void change_on_cpu(const Conv2dOp& op, ChangeBatch& batch, const NativeStep& step)
{
    count_product(batch, step);
    if (step.inputs[0].extent == Extent::channel)
        change_of_maps(op, batch, step);
    else
        change_of_slots(op, batch, step);
}

void box_on_cpu(const Conv2dOp& /*op*/, const BoxStep& step)
{
    product_box(step);
}

}  // namespace flipstorm
