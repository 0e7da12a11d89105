#include "engine/compute/cpu/product.hpp"

#include <algorithm>
#include <cstring>

namespace flipstorm
{

void write_block(ChangeBatch& batch, const PackedLayer& layer, const WeightBlock& block, ProductRow row,
                 float* out, std::int64_t out_step)
{
    row.taps = layer.taps;
    if (layer.whole_vectors)
    {
        row.out = out + block.first_output;
        row.out_step = out_step;
        batch.kernels().product(row, block.vectors);
        return;
    }
    const std::int64_t width = block.vectors * kLanes;
    std::vector<float>& copy = batch.space().block;
    copy.resize(std::max(copy.size(), static_cast<std::size_t>(row.pixels * width)));
    row.out = copy.data();
    row.out_step = width;
    batch.kernels().product(row, block.vectors);
    for (std::int64_t p = 0; p < row.pixels; ++p)
    {
        std::memcpy(out + p * out_step + block.first_output, row.out + p * width,
                    static_cast<std::size_t>(block.outputs) * sizeof(float));
    }
}

void count_product(ChangeBatch& batch, const NativeStep& step)
{
    const PackedLayer& layer = batch.node(step.node).packed;
    const bool one = step.inputs[0].extent == Extent::channel;
    const std::int64_t outputs = one ? layer.group_outputs : layer.group_outputs * layer.groups;
    batch.count_macs(static_cast<double>(batch.size()) *
                     static_cast<double>(batch.form(step.node).pixels() * layer.taps * outputs *
                                         (one ? 1 : layer.group_inputs)));
}

void product_box(const BoxStep& step)
{
    const NodeId input = step.input();
    const Box& box = step.box;
    const PackedLayer& layer = step.native().packed;
    const ReplayNetwork::Place& place = step.network.place(input);
    const Windows windows = windows_of(step.node(), step.form(input)).rows;  // the columns' are alike
    const std::int64_t width = box.right - box.left;
    // Quads of pixels lie in one row; where rows are not made of quads, they are taken one by one.
    constexpr std::int64_t kPixels = 256;
    const std::int64_t most_rows =
        width % 4 != 0 ? 1 : std::clamp<std::int64_t>(kPixels / width, 1, box.bottom - box.top);
    std::vector<std::ptrdiff_t>& quads = step.space.quads;
    quads.clear();
    for (std::int64_t y = 0; y < most_rows; ++y)
    {
        for (std::int64_t x = 0; x < width; x += 4)
            quads.push_back(windows.stride * (y * place.row_floats + x * place.channels));
    }
    ProductRow row;
    row.quad_offset = quads.data();
    row.pixel_step = windows.stride * place.channels;
    row.tap_offset = step.network.taps(step.id).data();
    row.taps = layer.taps;
    row.channels = layer.group_inputs;
    for (const WeightBlock& block : layer.blocks)
    {
        row.weights = layer.weights.data() + block.offset;
        row.out_step = block.vectors * kLanes;
        row.tap_weights = layer.group_inputs * row.out_step;
        const float* const shift = step.native().shift.data() + block.first_output;
        std::vector<float>& copy = step.space.block;
        copy.resize(std::max(copy.size(), static_cast<std::size_t>(most_rows * width * row.out_step)));
        row.out = copy.data();
        for (std::int64_t top = box.top; top < box.bottom; top += most_rows)
        {
            const std::int64_t rows = std::min(most_rows, box.bottom - top);
            row.in = step.read(input, top * windows.stride - windows.padding,
                               box.left * windows.stride - windows.padding) +
                     block.group * layer.group_inputs;
            row.pixels = rows * width;
            step.network.kernels().product(row, block.vectors);
            const float* sums = copy.data();
            for (std::int64_t y = top; y < top + rows; ++y)
            {
                for (std::int64_t x = box.left; x < box.right; ++x, sums += row.out_step)
                {
                    float* const out = step.write(y, x) + block.first_output;
                    for (std::int64_t o = 0; o < block.outputs; ++o)
                        out[o] = sums[o] + shift[o];
                }
            }
        }
    }
}

std::vector<float> padded_bias(const PrepareContext& context, bool bias, std::int64_t outputs)
{
    if (bias) return padded_values(context.parameter(".bias"));
    return std::vector<float>(static_cast<std::size_t>(padded(outputs)), 0.0F);
}

}  // namespace flipstorm
