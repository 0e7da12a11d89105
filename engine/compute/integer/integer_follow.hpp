#pragma once
// Members of IntegerImage: how changes are followed from node to node. Included by integer_image.cpp alone.

#include <algorithm>
#include <cstring>

#include "engine/compute/cpu/value_box.hpp"
#include "engine/compute/integer/integer_image.hpp"

namespace flipstorm
{

/// A change of more elements than this share of a value is followed by rows.
constexpr std::int64_t kListedShare = 8;
constexpr std::int64_t kShortList = 64;

template<class Word>
void IntegerImage<Word>::set(NodeId id, IntegerAt at, std::int64_t to)
{
    const auto where = static_cast<std::size_t>(position(id, at));
    // Its inputs are final, so that an element that differs already is in the list.
    if (now_[where] != golden_[where]) return;
    const Word is = word(to);
    if (is == golden_[where]) return;
    now_[where] = is;
    IntegerChange& of = change(id);
    of.kind = Kind::listed;
    of.list.push_back(at);
}

template<class Word>
const float* IntegerImage<Word>::follow(NodeId from, const std::vector<NodeId>& nodes)
{
    const NodeId output = model_.graph().output();
    const float* logits = nullptr;
    if (change(from).kind != Kind::none)
    {
        for (const NodeId id : nodes)
            carry(id);
        if (change(output).kind != Kind::none)
        {
            read_logits({now_, sums_, wide_}, logits_);
            logits = logits_.data();
        }
    }
    restore(from);
    for (const NodeId id : nodes)
        restore(id);
    return logits;
}

template<class Word>
void IntegerImage<Word>::restore(NodeId id)
{
    IntegerChange& of = change(id);
    if (of.kind == Kind::none) return;
    if (model_.is_wide(id))
        wide_ = golden_wide_;
    else if (!std::holds_alternative<FlattenOp>(node(id).operation))
    {
        const IntegerPlace& at = place(id);
        if (of.kind == Kind::listed)
        {
            for (const IntegerAt& element : of.list)
            {
                const auto where = static_cast<std::size_t>(position(id, element));
                now_[where] = golden_[where];
            }
        }
        else
        {
            const std::int64_t first = at.at(of.top, 0);
            std::copy_n(golden_.data() + first, at.at(of.bottom, 0) - first, now_.data() + first);
        }
    }
    of.kind = Kind::none;
    of.list.clear();
}

template<class Word>
void IntegerImage<Word>::carry(NodeId id)
{
    bool any = false;
    bool listed = true;
    std::size_t count = 0;
    for (const NodeId input : node(id).inputs)
    {
        any = any || change(input).kind != Kind::none;
        listed = listed && change(input).kind != Kind::rows;
        count += change(input).list.size();
    }
    if (!any) return;
    const Operation& operation = node(id).operation;
    if (std::holds_alternative<FlattenOp>(operation))
    {
        change(id) = change(node(id).inputs[0]);
        return;
    }
    if (listed && is_product(operation))
    {
        const IntegerLayer<Word>& of = layer(id);
        const auto taps = static_cast<std::int64_t>(of.taps.size());
        const std::int64_t columns = static_cast<std::int64_t>(count) * taps * 4;
        const std::int64_t whole =
            place(id).form.pixels() *
            (taps * ((of.group_inputs + WordTraits<Word>::kGroup - 1) / WordTraits<Word>::kGroup) + 6);
        listed = columns < whole;
    }
    if (listed)
        carry_list(id);
    else
        carry_rows(id);
}

template<class Word>
void IntegerImage<Word>::carry_rows(NodeId id)
{
    const ValueForm& form = place(id).form;
    Box box;
    for (const NodeId input : node(id).inputs)
    {
        const IntegerChange& of = change(input);
        if (of.kind == Kind::none) continue;
        const ValueForm& in = place(input).form;
        Box changed{of.top, of.bottom, 0, in.width};
        if (of.kind == Kind::listed)
        {
            changed.top = in.height;
            changed.bottom = 0;
            for (const IntegerAt& at : of.list)
            {
                changed.top = std::min<std::int64_t>(changed.top, at.y);
                changed.bottom = std::max<std::int64_t>(changed.bottom, at.y + 1);
            }
        }
        const bool spread = in.pixels() == 1 && form.pixels() > 1;
        box = united(box, spread ? whole_box(form) : reached(windows_of(node(id), in), changed, form));
    }
    if (box.empty()) return;
    macs_ += static_cast<double>(model_.graph().macs(id)) * static_cast<double>(box.bottom - box.top) /
             static_cast<double>(form.height);
    compute_rows(id, box.top, box.bottom, {now_, sums_, wide_});
    if (model_.is_wide(id))
        compare_wide(id);
    else if (model_.compared_later(id))
    {
        IntegerChange& of = change(id);
        of.kind = Kind::rows;
        of.top = box.top;
        of.bottom = box.bottom;
    }
    else
        compare_rows(id, box.top, box.bottom);
}

template<class Word>
void IntegerImage<Word>::compare_wide(NodeId id)
{
    if (wide_ != golden_wide_) change(id).kind = Kind::rows;
}

template<class Word>
void IntegerImage<Word>::compare_rows(NodeId id, std::int64_t top, std::int64_t bottom)
{
    const IntegerPlace& at = place(id);
    IntegerChange& of = change(id);
    const auto most =
        static_cast<std::size_t>(std::max(kShortList, at.form.pixels() * at.form.channels / kListedShare));
    const auto differ = [&](std::int64_t first, std::int64_t words) {
        return std::memcmp(now_.data() + first, golden_.data() + first,
                           static_cast<std::size_t>(words) * sizeof(Word)) != 0;
    };
    const std::int64_t of_row = at.form.width * at.channels;
    while (top < bottom && !differ(at.at(top, 0), of_row))
        ++top;
    while (top < bottom && !differ(at.at(bottom - 1, 0), of_row))
        --bottom;
    if (top == bottom) return;
    of.kind = Kind::listed;
    for (std::int64_t y = top; y < bottom; ++y)
    {
        if (!differ(at.at(y, 0), of_row)) continue;
        for (std::int64_t x = 0; x < at.form.width; ++x)
        {
            const std::int64_t pixel = at.at(y, x);
            if (!differ(pixel, at.channels)) continue;
            for (std::int64_t c = 0; c < at.form.channels; ++c)
            {
                if (now_[static_cast<std::size_t>(pixel + c)] != golden_[static_cast<std::size_t>(pixel + c)])
                    of.list.push_back({static_cast<std::uint16_t>(y), static_cast<std::uint16_t>(x),
                                       static_cast<std::uint32_t>(c)});
            }
        }
        if (of.list.size() <= most) continue;
        of.list.clear();
        of.kind = Kind::rows;
        of.top = top;
        of.bottom = bottom;
        return;
    }
}

template<class Word>
void IntegerImage<Word>::carry_list(NodeId id)
{
    ++call_;
    std::visit(
        [&](const auto& op) {
            using Op = std::decay_t<decltype(op)>;
            if constexpr (Op::kLinearity == Linearity::product)
                carry_list_through_product(id);
            else if constexpr (!std::is_same_v<Op, InputOp> && !std::is_same_v<Op, FlattenOp>)
                carry_elements(op, id);
        },
        node(id).operation);
}

/// The outputs that an input element is read by, one after another.
template<class Word>
template<class Op>
void IntegerImage<Word>::carry_elements(const Op& op, NodeId id)
{
    const ValueForm& form = place(id).form;
    const CodeLimits limits = layer(id).node.limits;
    const auto compute = [&](std::int64_t y, std::int64_t x, std::int64_t channel) {
        const IntegerAt at{static_cast<std::uint16_t>(y), static_cast<std::uint16_t>(x),
                           static_cast<std::uint32_t>(channel)};
        set(id, at, limits(element_of(op, id, at, now_.data())));
    };
    std::int64_t before = 0;  // channels of the inputs before, where they lie behind each other
    for (const NodeId input : node(id).inputs)
    {
        const ValueForm& in = place(input).form;
        for (const IntegerAt& at : change(input).list)
        {
            if constexpr (std::is_same_v<Op, MaxPool2dOp> || std::is_same_v<Op, AvgPool2dOp>)
            {
                std::int64_t padding = 0;
                if constexpr (std::is_same_v<Op, MaxPool2dOp>) padding = op.padding;
                const auto first = [&](std::int64_t i) {
                    return std::max<std::int64_t>((i + padding - op.kernel + op.stride) / op.stride, 0);
                };
                const auto end = [&](std::int64_t i, std::int64_t size) {
                    return std::min((i + padding) / op.stride + 1, size);
                };
                for (std::int64_t y = first(at.y); y < end(at.y, form.height); ++y)
                {
                    for (std::int64_t x = first(at.x); x < end(at.x, form.width); ++x)
                        compute(y, x, at.channel);
                }
            }
            else if constexpr (std::is_same_v<Op, GlobalAvgPoolOp>)
            {
                // Each channel once.
                std::uint64_t& seen = once_[at.channel];
                if (seen != call_) compute(0, 0, at.channel);
                seen = call_;
            }
            else if constexpr (std::is_same_v<Op, PadOp>)
                compute(at.y + op.top, at.x + op.left, at.channel + op.channels_before);
            else if constexpr (std::is_same_v<Op, SliceOp>)
            {
                std::int64_t place[3] = {at.channel, at.y, at.x};
                std::int64_t& along = place[op.dimension];
                if (along < op.start || along >= op.end || (along - op.start) % op.step != 0) continue;
                along = (along - op.start) / op.step;
                compute(place[1], place[2], place[0]);
            }
            else if (in.pixels() == 1 && form.pixels() > 1)
            {
                for (std::int64_t p = 0; p < form.pixels(); ++p)
                    compute(p / form.width, p % form.width, at.channel);
            }
            else
                compute(at.y, at.x, at.channel + before);
        }
        if constexpr (std::is_same_v<Op, ConcatOp>) before += in.channels;
    }
}

template<class Word>
void IntegerImage<Word>::touch(NodeId id, std::int64_t y, std::int64_t x)
{
    const std::int64_t pixel = y * place(id).form.width + x;
    std::uint64_t& touched = touched_[static_cast<std::size_t>(pixel)];
    if (touched == call_) return;
    touched = call_;
    touched_list_.push_back({static_cast<std::uint16_t>(y), static_cast<std::uint16_t>(x), 0});
    const std::int64_t channels = layer(id).sum_channels;
    const std::int64_t first = model_.sums_at(id) + pixel * channels;
    std::copy_n(golden_sums_.data() + first, channels, sums_.data() + first);
}

/// What an input element adds to the sums of the outputs whose windows read it.
template<class Word>
void IntegerImage<Word>::add_columns(NodeId id, const IntegerAt& at)
{
    const IntegerLayer<Word>& of = layer(id);
    const IntegerPlace& in = place(node(id).inputs[0]);
    const IntegerPlace& to = place(id);
    const std::int64_t group = at.channel / of.group_inputs;
    const std::int64_t in_group = at.channel % of.group_inputs;
    const auto taps = static_cast<std::int64_t>(of.taps.size());
    const std::int64_t outputs = of.blocks * kIntegerLanes;
    const auto where = static_cast<std::size_t>(in.at(at.y, at.x) + at.channel);
    const std::int64_t was = code(golden_[where]);
    const std::int64_t is = code(now_[where]);
    const auto add = [&](std::int64_t tap, std::int64_t y, std::int64_t x) {
        touch(id, y, x);
        Sum* const sums = sums_.data() + model_.sums_at(id) + (y * to.form.width + x) * of.sum_channels +
                          group * of.group_outputs;
        const std::int32_t* const column =
            of.columns->data() + ((in_group * taps + tap) * of.groups + group) * outputs;
        model_.kernels().change(sums, column, was, is, of.node.dropped, outputs);
        macs_ += static_cast<double>(of.group_outputs);
    };
    const auto* conv = std::get_if<Conv2dOp>(&node(id).operation);
    if (conv == nullptr) return add(at.y * in.form.width + at.x, 0, 0);
    for (std::int64_t kh = 0; kh < conv->kernel; ++kh)
    {
        const std::int64_t y = at.y + conv->padding - kh * conv->dilation;
        if (y < 0 || y % conv->stride != 0 || y / conv->stride >= to.form.height) continue;
        for (std::int64_t kw = 0; kw < conv->kernel; ++kw)
        {
            const std::int64_t x = at.x + conv->padding - kw * conv->dilation;
            if (x < 0 || x % conv->stride != 0 || x / conv->stride >= to.form.width) continue;
            add(kh * conv->kernel + kw, y / conv->stride, x / conv->stride);
        }
    }
}

template<class Word>
void IntegerImage<Word>::carry_list_through_product(NodeId id)
{
    touched_list_.clear();
    for (const IntegerAt& at : change(node(id).inputs[0]).list)
        add_columns(id, at);
    settle_touched(id);
}

/// The codes of the touched pixels from their sums.
template<class Word>
void IntegerImage<Word>::settle_touched(NodeId id)
{
    const IntegerLayer<Word>& of = layer(id);
    const IntegerPlace& to = place(id);
    for (const IntegerAt& at : touched_list_)
    {
        const Sum* const sums =
            sums_.data() + model_.sums_at(id) + (at.y * to.form.width + at.x) * of.sum_channels;
        if (model_.is_wide(id))
        {
            for (std::size_t o = 0; o < wide_.size(); ++o)
                wide_[o] = static_cast<std::int32_t>(of.node.limits(of.node.rescale[o](sums[o])));
            compare_wide(id);
            return;
        }
        Word* const codes = now_.data() + to.at(at.y, at.x);
        const Word* const golden = golden_.data() + to.at(at.y, at.x);
        model_.kernels().rescale(sums, of.rescale, codes, 1, to.channels);
        if (std::memcmp(codes, golden, static_cast<std::size_t>(to.channels) * sizeof(Word)) == 0) continue;
        IntegerChange& changed = change(id);
        changed.kind = Kind::listed;
        for (std::int64_t c = 0; c < to.form.channels; ++c)
        {
            if (codes[c] != golden[c]) changed.list.push_back({at.y, at.x, static_cast<std::uint32_t>(c)});
        }
    }
}

template<class Word>
const float* IntegerImage<Word>::follow_weight(NodeId layer_node, const std::vector<NodeId>& nodes,
                                               std::int64_t weight, std::int32_t to)
{
    if (std::holds_alternative<Conv2dOp>(node(layer_node).operation))
    {
        follow_channel(layer_node, weight, to);
        return follow(end_of_chain(layer_node), nodes);
    }
    follow_neuron(layer_node, weight, to);
    return follow(layer_node, nodes);
}

/// Keep the golden sums of an output channel side by side, and the golden codes at the end of its chain.
template<class Word>
void IntegerImage<Word>::gather_channel(NodeId id, std::int64_t channel)
{
    if (gathered_node_ == id && gathered_channel_ == channel) return;
    gathered_node_ = id;
    gathered_channel_ = channel;
    const std::int64_t channels = layer(id).sum_channels;
    channel_sums_.resize(static_cast<std::size_t>(place(id).form.pixels()));
    const Sum* sums = golden_sums_.data() + model_.sums_at(id) + channel;
    for (Sum& sum : channel_sums_)
    {
        sum = *sums;
        sums += channels;
    }
    const IntegerPlace& end = place(end_of_chain(id));
    channel_codes_.resize(static_cast<std::size_t>(end.form.pixels()));
    std::size_t p = 0;
    for (std::int64_t y = 0; y < end.form.height; ++y)
    {
        const Word* codes = golden_.data() + end.at(y, 0) + channel;
        for (std::int64_t x = 0; x < end.form.width; ++x, ++p, codes += end.channels)
            channel_codes_[p] = *codes;
    }
}

template<class Word>
void IntegerImage<Word>::map_through(NodeId id, std::int64_t channel, std::vector<Word>& map)
{
    const Operation& operation = node(id).operation;
    const auto count = static_cast<std::int64_t>(map.size());
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
        const ValueForm& out = place(id).form;
        channel_spare_.resize(static_cast<std::size_t>(out.pixels()));
        Word* to = channel_spare_.data();
        for (std::int64_t y = 0; y < out.height; ++y)
        {
            const std::int64_t top = std::max<std::int64_t>(y * op.stride - op.padding, 0);
            const std::int64_t bottom = std::min(y * op.stride - op.padding + op.kernel, in.height);
            for (std::int64_t x = 0; x < out.width; ++x, ++to)
            {
                const std::int64_t left = std::max<std::int64_t>(x * op.stride - op.padding, 0);
                const std::int64_t right = std::min(x * op.stride - op.padding + op.kernel, in.width);
                Word most = map[static_cast<std::size_t>(top * in.width + left)];
                for (std::int64_t v = top; v < bottom; ++v)
                {
                    for (std::int64_t u = left; u < right; ++u)
                        most = std::max(most, map[static_cast<std::size_t>(v * in.width + u)]);
                }
                *to = most;
            }
        }
        map.swap(channel_spare_);
    }
}

template<class Word>
const Word* IntegerImage<Word>::met_by(NodeId id, std::int64_t weight)
{
    const IntegerLayer<Word>& of = layer(id);
    const auto& conv = std::get<Conv2dOp>(node(id).operation);
    const IntegerPlace& in = place(node(id).inputs[0]);
    const ValueForm& out = place(id).form;
    const std::int64_t taps = conv.kernel * conv.kernel;
    const std::int64_t channel = weight / (taps * of.group_inputs);
    const std::int64_t element = weight % (taps * of.group_inputs);
    const std::int64_t from_channel = channel / of.group_outputs * of.group_inputs + element / taps;
    const std::int64_t dy = element % taps / conv.kernel * conv.dilation - conv.padding;
    const std::int64_t dx = element % conv.kernel * conv.dilation - conv.padding;
    channel_input_.resize(static_cast<std::size_t>(out.pixels()));
    const auto zero = static_cast<Word>(WordTraits<Word>::kZero);
    Word any = 0;
    std::size_t p = 0;
    for (std::int64_t y = 0; y < out.height; ++y)
    {
        const Word* x_in = golden_.data() + in.at(y * conv.stride + dy, dx) + from_channel;
        for (std::int64_t x = 0; x < out.width; ++x, ++p, x_in += conv.stride * in.channels)
        {
            channel_input_[p] = *x_in;
            any = static_cast<Word>(any | (*x_in ^ zero));
        }
    }
    macs_ += static_cast<double>(p);
    return any == 0 ? nullptr : channel_input_.data();
}

/// A weight of a convolution changes one channel.
template<class Word>
void IntegerImage<Word>::follow_channel(NodeId id, std::int64_t weight, std::int32_t to)
{
    const Word* const input = met_by(id, weight);
    if (input == nullptr) return;
    const IntegerLayer<Word>& of = layer(id);
    const ValueForm& out = place(id).form;
    const std::int64_t channel = weight / (of.group_inputs * static_cast<std::int64_t>(of.taps.size()));
    gather_channel(id, channel);
    const std::int32_t golden = model_.network().node(id).weights[static_cast<std::size_t>(weight)];
    channel_new_.resize(static_cast<std::size_t>(out.pixels()));
    model_.kernels().channel(channel_sums_.data(), input, golden, to, of.node.dropped, of.rescale, channel,
                             channel_new_.data(), out.pixels());
    for (const NodeId behind : model_.channel_chain(id))
        map_through(behind, channel, channel_new_);
    const NodeId end = end_of_chain(id);
    const auto width = static_cast<std::size_t>(place(end).form.width);
    for (std::size_t first = 0; first < channel_new_.size(); first += width)
    {
        if (std::memcmp(channel_new_.data() + first, channel_codes_.data() + first, width * sizeof(Word)) ==
            0)
            continue;
        for (std::size_t x = 0; x < width; ++x)
        {
            if (channel_new_[first + x] == channel_codes_[first + x]) continue;
            set(end,
                {static_cast<std::uint16_t>(first / width), static_cast<std::uint16_t>(x),
                 static_cast<std::uint32_t>(channel)},
                code(channel_new_[first + x]));
        }
    }
}

template<class Word>
std::int64_t IntegerImage<Word>::neuron_of(NodeId id, std::int64_t weight) const
{
    const ValueForm& in = place(node(id).inputs[0]).form;
    return weight / (in.channels * in.pixels());
}

template<class Word>
std::int64_t IntegerImage<Word>::neuron_move(NodeId id, std::int64_t weight, std::int32_t to) const
{
    const IntegerLayer<Word>& of = layer(id);
    const IntegerPlace& in = place(node(id).inputs[0]);
    const std::int64_t neuron = neuron_of(id, weight);
    const std::int64_t channel = weight % (in.form.channels * in.form.pixels()) / in.form.pixels();
    const std::int64_t pixel = weight % in.form.pixels();
    const std::int64_t x = code(
        golden_[static_cast<std::size_t>(in.at(pixel / in.form.width, pixel % in.form.width) + channel)]);
    if (x == 0) return 0;
    const std::int32_t golden = model_.network().node(id).weights[static_cast<std::size_t>(weight)];
    const std::int64_t sum =
        static_cast<std::int64_t>(golden_sums_[static_cast<std::size_t>(model_.sums_at(id) + neuron)]) +
        rounded_product(to, x, of.node.dropped) - rounded_product(golden, x, of.node.dropped);
    return of.node.limits(of.node.rescale[static_cast<std::size_t>(neuron)](sum)) -
           golden_code(id, {0, 0, static_cast<std::uint32_t>(neuron)});
}

/// A weight of a linear layer changes one neuron.
template<class Word>
void IntegerImage<Word>::follow_neuron(NodeId id, std::int64_t weight, std::int32_t to)
{
    macs_ += 1;
    const std::int64_t move = neuron_move(id, weight, to);
    if (move == 0) return;
    const auto neuron = static_cast<std::uint32_t>(neuron_of(id, weight));
    if (!model_.is_wide(id)) return set(id, {0, 0, neuron}, golden_code(id, {0, 0, neuron}) + move);
    wide_[neuron] += static_cast<std::int32_t>(move);
    change(id).kind = Kind::rows;
}

template<class Word>
const float* IntegerImage<Word>::follow_parameters(NodeId id, const std::vector<NodeId>& nodes,
                                                   const IntegerLayer<Word>& other)
{
    other_ = &other;
    other_node_ = id;
    const std::int64_t height = place(id).form.height;
    macs_ += static_cast<double>(model_.graph().macs(id));
    compute_rows(id, 0, height, {now_, sums_, wide_});
    other_ = nullptr;
    if (model_.is_wide(id))
        compare_wide(id);
    else
        compare_rows(id, 0, height);
    return follow(id, nodes);
}

template<class Word>
const float* IntegerImage<Word>::follow_value(NodeId id, const std::vector<NodeId>& nodes,
                                              const std::vector<IntegerAt>& elements,
                                              const std::vector<std::int32_t>& codes)
{
    for (std::size_t i = 0; i < elements.size(); ++i)
    {
        if (!model_.is_wide(id))
        {
            set(id, elements[i], codes[i]);
            continue;
        }
        wide_[elements[i].channel] = codes[i];
        compare_wide(id);
    }
    return follow(id, nodes);
}

template<class Word>
const float* IntegerImage<Word>::replace_value(NodeId id, const std::vector<NodeId>& nodes,
                                               const std::vector<IntegerAt>& elements,
                                               const std::vector<std::int32_t>& codes)
{
    for (std::size_t i = 0; i < elements.size(); ++i)
    {
        if (model_.is_wide(id))
            wide_[elements[i].channel] = codes[i];
        else
            now_[static_cast<std::size_t>(position(id, elements[i]))] = word(codes[i]);
    }
    for (const NodeId behind : nodes)
    {
        compute_rows(behind, 0, place(behind).form.height, {now_, sums_, wide_});
        macs_ += static_cast<double>(model_.graph().macs(behind));
    }
    read_logits({now_, sums_, wide_}, logits_);
    now_ = golden_;
    wide_ = golden_wide_;
    return logits_ == golden_logits_ ? nullptr : logits_.data();
}

}  // namespace flipstorm
