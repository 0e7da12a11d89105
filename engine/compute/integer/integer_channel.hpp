#pragma once
// Members of IntegerImage: what a weight changes at first, one channel of a convolution or one neuron.
// Included by integer_image.cpp alone.
//
// A channel is followed as a map [rows][columns] through the nodes that act on each channel alone, and where
// one convolution or linear layer reads the end of them, into its sums.

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "engine/compute/integer/integer_image.hpp"

namespace flipstorm
{

template<class Word>
const float* IntegerImage<Word>::follow_weight(NodeId layer_node, const std::vector<NodeId>& nodes,
                                               std::int64_t weight, std::int32_t to)
{
    if (std::holds_alternative<Conv2dOp>(node(layer_node).operation))
        return follow(follow_channel(layer_node, weight, to), nodes);
    follow_neuron(layer_node, weight, to);
    return follow(layer_node, nodes);
}

/// A channel of a golden value, see IntegerPlace::map_at.
template<class Word>
const Word* IntegerImage<Word>::golden_map(NodeId id, std::int64_t channel)
{
    const IntegerPlace& at = place(id);
    ChannelMaps& maps = maps_[index(id)];
    const auto words = static_cast<std::size_t>(at.map_words());
    if (maps.changed.empty())
    {
        maps.changed.assign(words, static_cast<Word>(WordTraits<Word>::kZero));
        maps.golden.assign(words * static_cast<std::size_t>(at.form.channels), maps.changed[0]);
        maps.load.assign(static_cast<std::size_t>(at.form.channels), 0);
    }
    const auto c = static_cast<std::size_t>(channel);
    Word* const map = maps.golden.data() + c * words;
    if (maps.load[c] == load_) return map;
    maps.load[c] = load_;
    for (std::int64_t y = 0; y < at.form.height; ++y)
    {
        const Word* from = golden_.data() + at.at(y, 0) + channel;
        Word* const to = map + at.map_at(y, 0);
        for (std::int64_t x = 0; x < at.form.width; ++x, from += at.channels)
            to[x] = *from;
    }
    return map;
}

/// What a weight of a convolution is multiplied by: rows of the width of its output, `row` words apart.
template<class Word>
typename IntegerImage<Word>::Map IntegerImage<Word>::input_of(NodeId id, std::int64_t weight)
{
    const IntegerLayer<Word>& of = layer(id);
    const auto& conv = std::get<Conv2dOp>(node(id).operation);
    const NodeId input = node(id).inputs[0];
    const IntegerPlace& in = place(input);
    const ValueForm& out = place(id).form;
    const std::int64_t taps = conv.kernel * conv.kernel;
    const std::int64_t channel = weight / (taps * of.group_inputs);
    const std::int64_t element = weight % (taps * of.group_inputs);
    const std::int64_t from_channel = channel / of.group_outputs * of.group_inputs + element / taps;
    const std::int64_t dy = element % taps / conv.kernel * conv.dilation - conv.padding;
    const std::int64_t dx = element % conv.kernel * conv.dilation - conv.padding;
    const Word* from = golden_map(input, from_channel) + in.map_at(dy, dx);
    if (conv.stride == 1) return {from, in.map_row()};
    Map map{channel_input_.data(), out.width};
    if (met_load_ == load_ && met_node_ == id && met_weight_ == weight) return map;
    met_load_ = load_;
    met_node_ = id;
    met_weight_ = weight;
    channel_input_.resize(static_cast<std::size_t>(out.pixels() + kIntegerLanes));
    map.words = channel_input_.data();
    Word* to = channel_input_.data();
    for (std::int64_t y = 0; y < out.height; ++y, from += conv.stride * in.map_row())
    {
        for (std::int64_t x = 0; x < out.width; ++x)
            *to++ = from[x * conv.stride];
    }
    return map;
}

template<class Word>
float IntegerImage<Word>::met_by(NodeId id, std::int64_t weight, float* codes)
{
    const Map map = input_of(id, weight);
    const ValueForm& out = place(id).form;
    return model_.kernels().widen_map(map.words, map.row, out.height, out.width, codes);
}

/// Keep the golden sums of an output channel side by side, in rows so far apart as those that are added.
template<class Word>
void IntegerImage<Word>::gather_channel(NodeId id, std::int64_t channel, std::int64_t row)
{
    if (gathered_node_ == id && gathered_channel_ == channel) return;
    gathered_node_ = id;
    gathered_channel_ = channel;
    const ValueForm& form = place(id).form;
    const auto words = static_cast<std::size_t>(form.height * row);
    channel_sums_.assign(words, 0);
    channel_new_.resize(words + 3 * kIntegerLanes);
    const std::int64_t channels = layer(id).sum_channels;
    const Sum* sums = golden_sums_.data() + model_.sums_at(id) + channel;
    for (std::int64_t y = 0; y < form.height; ++y)
    {
        Sum* const to = channel_sums_.data() + y * row;
        for (std::int64_t x = 0; x < form.width; ++x, sums += channels)
            to[x] = *sums;
    }
}

/// A channel's new codes through a node of a chain. \param last  a pool writes there, not null: into a map of
/// its value
template<class Word>
void IntegerImage<Word>::map_through(NodeId id, std::int64_t channel, std::vector<Word>& map,
                                     std::int64_t& row, Word* last)
{
    const Operation& operation = node(id).operation;
    const ValueForm& form = place(id).form;
    const std::int64_t count = (form.height - 1) * row + form.width;
    if (std::holds_alternative<BatchNormOp>(operation))
        model_.kernels().rescale_channel(map.data(), layer(id).rescale, channel, map.data(), count);
    else if (std::holds_alternative<ReluOp>(operation))
        model_.kernels().relu(map.data(), std::numeric_limits<Word>::max(), map.data(), count);
    else if (std::holds_alternative<Relu6Op>(operation))
        model_.kernels().relu(map.data(), word(layer(id).node.ceiling), map.data(), count);
    else
    {
        const auto& op = std::get<MaxPool2dOp>(operation);
        const ValueForm& in = place(node(id).inputs[0]).form;
        IntegerMapPool<Word> pool{map.data(), row,  in.height, in.width,    op.kernel, op.stride,
                                  op.padding, last, 0,         form.height, form.width};
        pool.out_row = last != nullptr ? place(id).map_row() : form.width;
        if (last == nullptr)
        {
            channel_spare_.resize(static_cast<std::size_t>(form.pixels() + 3 * kIntegerLanes));
            pool.out = channel_spare_.data();
        }
        model_.kernels().max_pool_map(pool);
        row = pool.out_row;
        if (last == nullptr) map.swap(channel_spare_);
    }
}

/// The first and the last different word of two maps; none if the first lies behind the last.
template<class Word>
std::pair<std::int64_t, std::int64_t> different_words(const Word* a, const Word* b, std::int64_t words)
{
    constexpr std::int64_t kAtOnce = 8 / sizeof(Word);
    const auto differ = [&](std::int64_t at) {
        std::uint64_t of_a = 0;
        std::uint64_t of_b = 0;
        std::memcpy(&of_a, a + at, sizeof of_a);
        std::memcpy(&of_b, b + at, sizeof of_b);
        return of_a != of_b;
    };
    std::int64_t first = 0;
    while (first < words && !differ(first))
        first += kAtOnce;
    if (first >= words) return {words, 0};
    std::int64_t last = words - kAtOnce;
    while (!differ(last))
        last -= kAtOnce;
    last += kAtOnce - 1;
    while (a[first] == b[first])
        ++first;
    while (a[last] == b[last])
        --last;
    return {first, last};
}

/// A weight of a convolution changes one channel. \returns the node from which on the change is to be
/// followed
template<class Word>
NodeId IntegerImage<Word>::follow_channel(NodeId id, std::int64_t weight, std::int32_t to)
{
    const IntegerLayer<Word>& of = layer(id);
    const ValueForm& out = place(id).form;
    const std::int64_t channel = weight / (of.group_inputs * of.taps);
    const Map input = input_of(id, weight);
    std::int64_t row = input.row;
    gather_channel(id, channel, row);
    const std::int32_t golden = model_.network().node(id).weights[static_cast<std::size_t>(weight)];
    model_.kernels().channel(channel_sums_.data(), input.words, golden, to, of.node.dropped, of.rescale,
                             channel, channel_new_.data(), (out.height - 1) * row + out.width);
    macs_ += static_cast<double>(out.pixels());

    const NodeId end = model_.end_of_chain(id);
    const IntegerPlace& at = place(end);
    const Word* const golden_words = golden_map(end, channel);
    Word* const changed = maps_[index(end)].changed.data();
    bool written = false;
    for (const NodeId behind : model_.channel_chain(id))
    {
        written = behind == end && std::holds_alternative<MaxPool2dOp>(node(behind).operation);
        map_through(behind, channel, channel_new_, row, written ? changed + at.map_at(0, 0) : nullptr);
    }
    for (std::int64_t y = 0; y < at.form.height && !written; ++y)
        std::copy_n(channel_new_.data() + y * row, at.form.width, changed + at.map_at(y, 0));

    const auto [first, last] = different_words(golden_words, changed, at.map_words());
    if (first > last) return end;
    const std::int64_t top = first / at.map_row() - at.frame;
    const std::int64_t bottom = last / at.map_row() - at.frame + 1;
    const NodeId reader = model_.map_reader(id);
    if (reader != NodeId(-1))
    {
        carry_map(reader, end, channel, top, bottom);
        return reader;
    }
    for (std::int64_t y = top; y < bottom; ++y)
    {
        Word* now = now_.data() + at.at(y, 0) + channel;
        for (std::int64_t x = 0; x < at.form.width; ++x, now += at.channels)
            *now = changed[at.map_at(y, x)];
    }
    IntegerChange& of_end = change(end);
    of_end.kind = Kind::rows;
    of_end.top = top;
    of_end.bottom = bottom;
    return end;
}

/// What a product adds up of one channel's map. \param start  of each pixel, [pixels][sums]; null: 0
template<class Word>
void IntegerImage<Word>::add_map(NodeId id, const IntegerPlace& in, std::int64_t channel, const Word* map,
                                 std::int64_t top, std::int64_t bottom, const Sum* start, Sum* sums)
{
    using Traits = WordTraits<Word>;
    const IntegerLayer<Word>& of = layer(id);
    const auto* const conv = std::get_if<Conv2dOp>(&node(id).operation);
    const std::int64_t stride = conv != nullptr ? conv->stride : 1;
    const std::int64_t padding = conv != nullptr ? conv->padding : 0;
    const std::int64_t of_row = place(id).form.width * of.sum_channels;
    IntegerProduct<Word> product;
    product.in_step = stride;
    product.steps = of.map_steps.data();
    product.step_count = static_cast<std::int64_t>(of.map_steps.size());
    product.block_weights = product.step_count * kIntegerLanes * Traits::kGroup * Traits::kWeightParts;
    product.weights = of.map_weights->data() + channel * of.blocks * product.block_weights;
    product.start_step = start != nullptr ? of.sum_channels : 0;
    product.out_step = of.sum_channels;
    product.pixels = place(id).form.width;
    product.blocks = of.blocks;
    product.dropped = of.node.dropped;
    for (std::int64_t y = top; y < bottom; ++y)
    {
        product.in = map + in.map_at(y * stride - padding, -padding);
        product.start = start != nullptr ? start + y * of_row : no_sums_.data();
        product.out = sums + y * of_row;
        model_.kernels().product(product);
    }
    macs_ += static_cast<double>((bottom - top) * product.pixels * product.step_count * Traits::kGroup *
                                 of.group_outputs);
}

/// The rows of a product that some rows of a channel of its input are seen in. \param end  whose value that
/// is
template<class Word>
void IntegerImage<Word>::carry_map(NodeId id, NodeId end, std::int64_t channel, std::int64_t top,
                                   std::int64_t bottom)
{
    const IntegerLayer<Word>& of = layer(id);
    const IntegerPlace& in = place(end);
    const IntegerPlace& to = place(id);
    const std::int64_t count = to.form.pixels() * of.sum_channels;
    if (others_node_ != id || others_channel_ != channel)
    {
        // Golden sums without this channel.
        others_node_ = id;
        others_channel_ = channel;
        other_sums_.resize(static_cast<std::size_t>(count));
        add_map(id, in, channel, golden_map(end, channel), 0, to.form.height, nullptr, other_sums_.data());
        const Sum* const golden = golden_sums_.data() + model_.sums_at(id);
        for (std::int64_t i = 0; i < count; ++i)
            other_sums_[static_cast<std::size_t>(i)] = golden[i] - other_sums_[static_cast<std::size_t>(i)];
    }
    const IntegerReach& reach = model_.reach(id, 0);
    const std::int64_t first = reach.first[static_cast<std::size_t>(top)];
    const std::int64_t last = reach.end[static_cast<std::size_t>(bottom - 1)];
    if (first >= last) return;
    Sum* const sums = sums_.data() + model_.sums_at(id);
    add_map(id, in, channel, maps_[index(end)].changed.data(), first, last, other_sums_.data(), sums);
    for (std::int64_t y = first; y < last; ++y)
        settle_sums(id, y, 0, to.form.width);
    settle_rows(id, first, last);
}

template<class Word>
NeuronWeight IntegerImage<Word>::neuron_weight(NodeId id, std::int64_t weight) const
{
    const IntegerPlace& in = place(node(id).inputs[0]);
    const std::int64_t inputs = in.form.channels * in.form.pixels();
    const std::int64_t pixel = weight % in.form.pixels();
    NeuronWeight of;
    of.neuron = weight / inputs;
    of.input = in.at(pixel / in.form.width, pixel % in.form.width) + weight % inputs / in.form.pixels();
    of.golden = model_.network().node(id).weights[static_cast<std::size_t>(weight)];
    return of;
}

template<class Word>
std::int64_t IntegerImage<Word>::neuron_move(NodeId id, const NeuronWeight& weight, std::int32_t to) const
{
    const std::int64_t x = code(golden_[static_cast<std::size_t>(weight.input)]);
    if (x == 0) return 0;
    const IntegerLayer<Word>& of = layer(id);
    const std::int64_t sum = static_cast<std::int64_t>(
                                 golden_sums_[static_cast<std::size_t>(model_.sums_at(id) + weight.neuron)]) +
                             rounded_product(to, x, of.node.dropped) -
                             rounded_product(weight.golden, x, of.node.dropped);
    return of.node.limits(of.node.rescale[static_cast<std::size_t>(weight.neuron)](sum)) -
           golden_code(id, {0, 0, static_cast<std::uint32_t>(weight.neuron)});
}

/// A weight of a linear layer changes one neuron.
template<class Word>
void IntegerImage<Word>::follow_neuron(NodeId id, std::int64_t weight, std::int32_t to)
{
    macs_ += 1;
    const NeuronWeight of = neuron_weight(id, weight);
    const std::int64_t move = neuron_move(id, of, to);
    if (move == 0) return;
    const auto neuron = static_cast<std::uint32_t>(of.neuron);
    if (!model_.is_wide(id)) return set(id, {0, 0, neuron}, golden_code(id, {0, 0, neuron}) + move);
    wide_[neuron] += static_cast<std::int32_t>(move);
    change(id).kind = Kind::rows;
}

}  // namespace flipstorm
