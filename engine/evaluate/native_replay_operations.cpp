// What Replay computes of each operation, in a box.

#include <algorithm>
#include <array>
#include <limits>

#include "engine/evaluate/change_flow.hpp"
#include "engine/evaluate/native_replay.hpp"

namespace flipstorm
{

/// A box of a node's value from those of its inputs, which `from_` has.
void Replay::compute(NodeId id, const Box& box, float* to)
{
    const Node& n = node(id);
    macs_ += macs(id, box);
    if (is_product(n.operation)) return product(id, box, to);
    if (std::holds_alternative<FlattenOp>(n.operation)) return;
    const std::int64_t channels = network_.places_[index(id)].channels;
    if (std::holds_alternative<BatchNormOp>(n.operation))
    {
        const float* const scale = network_.native_.scale[index(id)].data();
        const float* const shift = network_.shift_[index(id)].data();
        return by_row(id, box, to, [&](const float* in, const float*, float* out, std::int64_t count) {
            for (std::int64_t i = 0; i < count; i += channels)
            {
                for (std::int64_t c = 0; c < channels; ++c)
                    out[i + c] = in[i + c] * scale[c] + shift[c];
            }
        });
    }
    if (std::holds_alternative<ReluOp>(n.operation))
    {
        return by_row(id, box, to, [](const float* in, const float*, float* out, std::int64_t count) {
            for (std::int64_t i = 0; i < count; ++i)
                out[i] = in[i] < 0 ? 0 : in[i];  // a NaN stays one
        });
    }
    if (std::holds_alternative<Relu6Op>(n.operation))
    {
        return by_row(id, box, to, [](const float* in, const float*, float* out, std::int64_t count) {
            for (std::int64_t i = 0; i < count; ++i)
            {
                const float x = in[i] < 0 ? 0 : in[i];
                out[i] = x > 6 ? 6 : x;
            }
        });
    }
    if (std::holds_alternative<AddOp>(n.operation))
    {
        return by_row(id, box, to, [](const float* a, const float* b, float* out, std::int64_t count) {
            for (std::int64_t i = 0; i < count; ++i)
                out[i] = a[i] + b[i];
        });
    }
    if (std::holds_alternative<MaxPool2dOp>(n.operation)) return max_pool(id, box, to);
    if (std::holds_alternative<AvgPool2dOp>(n.operation) ||
        std::holds_alternative<GlobalAvgPoolOp>(n.operation))
        return mean_pool(id, box, to);
    if (const auto* op = std::get_if<PadOp>(&n.operation)) return pad(id, *op, box, to);
    if (const auto* op = std::get_if<SliceOp>(&n.operation)) return slice(id, *op, box, to);
    concat(id, box, to);
}

/// Call `rows(first input, last input, output, floats)` for every row of a box of an elementwise operation.
template<class Rows>
void Replay::by_row(NodeId id, const Box& box, float* to, const Rows& rows) const
{
    const NodeId first = node(id).inputs.front();
    const NodeId last = node(id).inputs.back();
    const std::int64_t count = (box.right - box.left) * network_.places_[index(id)].channels;
    for (std::int64_t y = box.top; y < box.bottom; ++y)
    {
        rows(from_[index(first)] + network_.at(first, y, box.left),
             from_[index(last)] + network_.at(last, y, box.left), to + network_.at(id, y, box.left), count);
    }
}

/// A convolution or linear layer, some rows at a time.
void Replay::product(NodeId id, const Box& box, float* to)
{
    const Node& n = node(id);
    const NodeId input = n.inputs[0];
    const PackedLayer& layer = network_.native_.packed[index(id)];
    const ReplayNetwork::Place& place = network_.places_[index(input)];
    const Windows windows = windows_of(n, form(input)).rows;  // those of the columns are alike
    const std::int64_t width = box.right - box.left;
    // Quads of pixels lie in one row; where rows are not made of quads, they are taken one by one.
    constexpr std::int64_t kPixels = 256;
    const std::int64_t most_rows =
        width % 4 != 0 ? 1 : std::clamp<std::int64_t>(kPixels / width, 1, box.bottom - box.top);
    quads_.clear();
    for (std::int64_t y = 0; y < most_rows; ++y)
    {
        for (std::int64_t x = 0; x < width; x += 4)
            quads_.push_back(windows.stride * (y * place.row_floats + x * place.channels));
    }
    ProductRow row;
    row.quad_offset = quads_.data();
    row.pixel_step = windows.stride * place.channels;
    row.tap_offset = network_.taps_[index(id)].data();
    row.taps = layer.taps;
    row.channels = layer.group_inputs;
    for (const WeightBlock& block : layer.blocks)
    {
        row.weights = layer.weights.data() + block.offset;
        row.out_step = block.vectors * kLanes;
        row.tap_weights = layer.group_inputs * row.out_step;
        const float* const shift = network_.shift_[index(id)].data() + block.first_output;
        block_.resize(std::max(block_.size(), static_cast<std::size_t>(most_rows * width * row.out_step)));
        row.out = block_.data();
        for (std::int64_t top = box.top; top < box.bottom; top += most_rows)
        {
            const std::int64_t rows = std::min(most_rows, box.bottom - top);
            row.in = from_[index(input)] +
                     network_.at(input, top * windows.stride - windows.padding,
                                 box.left * windows.stride - windows.padding) +
                     block.group * layer.group_inputs;
            row.pixels = rows * width;
            network_.kernels_.product(row, block.vectors);
            const float* sums = block_.data();
            for (std::int64_t y = top; y < top + rows; ++y)
            {
                for (std::int64_t x = box.left; x < box.right; ++x, sums += row.out_step)
                {
                    float* const out = to + network_.at(id, y, x) + block.first_output;
                    for (std::int64_t o = 0; o < block.outputs; ++o)
                        out[o] = sums[o] + shift[o];
                }
            }
        }
    }
}

void Replay::max_pool(NodeId id, const Box& box, float* to) const
{
    const NodeId input = node(id).inputs[0];
    const std::int64_t channels = network_.places_[index(id)].channels;
    const WindowGrid windows = windows_of(node(id), form(input));
    for (std::int64_t y = box.top; y < box.bottom; ++y)
    {
        for (std::int64_t x = box.left; x < box.right; ++x)
        {
            const Box window = read_by(windows, {y, y + 1, x, x + 1}, form(input));
            float* const out = to + network_.at(id, y, x);
            std::fill_n(out, channels, -std::numeric_limits<float>::infinity());
            for (std::int64_t v = window.top; v < window.bottom; ++v)
            {
                for (std::int64_t u = window.left; u < window.right; ++u)
                {
                    const float* const value = from_[index(input)] + network_.at(input, v, u);
                    for (std::int64_t c = 0; c < channels; ++c)
                        out[c] = out[c] >= value[c] || out[c] != out[c] ? out[c] : value[c];
                }
            }
        }
    }
}

void Replay::mean_pool(NodeId id, const Box& box, float* to) const
{
    const NodeId input = node(id).inputs[0];
    const std::int64_t channels = network_.places_[index(id)].channels;
    const WindowGrid windows = windows_of(node(id), form(input));
    const float factor = 1.0F / static_cast<float>(windows.rows.kernel * windows.columns.kernel);
    for (std::int64_t y = box.top; y < box.bottom; ++y)
    {
        for (std::int64_t x = box.left; x < box.right; ++x)
        {
            const Box window = read_by(windows, {y, y + 1, x, x + 1}, form(input));
            float* const out = to + network_.at(id, y, x);
            std::fill_n(out, channels, 0.0F);
            for (std::int64_t v = window.top; v < window.bottom; ++v)
            {
                const float* value = from_[index(input)] + network_.at(input, v, window.left);
                for (std::int64_t u = window.left; u < window.right; ++u, value += channels)
                {
                    for (std::int64_t c = 0; c < channels; ++c)
                        out[c] += value[c];
                }
            }
            for (std::int64_t c = 0; c < channels; ++c)
                out[c] *= factor;
        }
    }
}

void Replay::pad(NodeId id, const PadOp& op, const Box& box, float* to) const
{
    const NodeId input = node(id).inputs[0];
    const ValueForm& in = form(input);
    for (std::int64_t y = box.top; y < box.bottom; ++y)
    {
        for (std::int64_t x = box.left; x < box.right; ++x)
        {
            float* const out = to + network_.at(id, y, x);
            std::fill_n(out, form(id).channels, 0.0F);
            const std::int64_t v = y - op.top;
            const std::int64_t u = x - op.left;
            if (v < 0 || v >= in.height || u < 0 || u >= in.width) continue;
            std::copy_n(from_[index(input)] + network_.at(input, v, u), in.channels,
                        out + op.channels_before);
        }
    }
}

void Replay::slice(NodeId id, const SliceOp& op, const Box& box, float* to) const
{
    const NodeId input = node(id).inputs[0];
    std::array<std::int64_t, 3> first{0, 0, 0};
    std::array<std::int64_t, 3> step{1, 1, 1};
    first.at(static_cast<std::size_t>(op.dimension)) = op.start;
    step.at(static_cast<std::size_t>(op.dimension)) = op.step;
    for (std::int64_t y = box.top; y < box.bottom; ++y)
    {
        for (std::int64_t x = box.left; x < box.right; ++x)
        {
            const float* const value =
                from_[index(input)] + network_.at(input, first[1] + y * step[1], first[2] + x * step[2]);
            float* const out = to + network_.at(id, y, x);
            for (std::int64_t c = 0; c < form(id).channels; ++c)
                out[c] = value[first[0] + c * step[0]];
        }
    }
}

void Replay::concat(NodeId id, const Box& box, float* to) const
{
    for (std::int64_t y = box.top; y < box.bottom; ++y)
    {
        for (std::int64_t x = box.left; x < box.right; ++x)
        {
            float* out = to + network_.at(id, y, x);
            for (const NodeId input : node(id).inputs)
                out = std::copy_n(from_[index(input)] + network_.at(input, y, x), form(input).channels, out);
        }
    }
}

}  // namespace flipstorm
