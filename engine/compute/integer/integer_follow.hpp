#pragma once
// Members of IntegerImage: how changes are followed from node to node. Included by integer_image.cpp alone.

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/compute/integer/integer_image.hpp"

namespace flipstorm
{

/// Elements that take less time one by one than rows of a kernel.
constexpr std::size_t kShortList = 2;

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
    if (std::holds_alternative<LinearOp>(operation)) return carry_through_linear(id);
    const auto* const conv = std::get_if<Conv2dOp>(&operation);
    if (conv != nullptr && conv->groups == 1 && !model_.is_wide(id)) return carry_through_conv(*conv, id);
    if (listed && conv != nullptr)
        listed = static_cast<std::int64_t>(count) <= model_.list_limit(node(id).inputs[0]);
    else if (listed && has_row_kernel(operation))
        listed = count <= kShortList;
    if (listed)
        carry_list(id);
    else
        carry_rows(id);
}

/// The rows [first, second) of a value in which something may have changed.
template<class Word>
std::pair<std::int64_t, std::int64_t> IntegerImage<Word>::changed_rows(NodeId id)
{
    const IntegerChange& of = change(id);
    if (of.kind == Kind::rows) return {of.top, of.bottom};
    std::int64_t first = place(id).form.height;
    std::int64_t end = 0;
    for (const IntegerAt& at : of.list)
    {
        first = std::min<std::int64_t>(first, at.y);
        end = std::max<std::int64_t>(end, at.y + 1);
    }
    return {first, end};
}

template<class Word>
void IntegerImage<Word>::carry_rows(NodeId id)
{
    const ValueForm& form = place(id).form;
    std::int64_t top = form.height;
    std::int64_t bottom = 0;
    const std::vector<NodeId>& inputs = node(id).inputs;
    for (std::size_t i = 0; i < inputs.size(); ++i)
    {
        if (change(inputs[i]).kind == Kind::none) continue;
        const auto [first, end] = changed_rows(inputs[i]);
        const IntegerReach& reach = model_.reach(id, i);
        top = std::min(top, reach.first[static_cast<std::size_t>(first)]);
        bottom = std::max(bottom, reach.end[static_cast<std::size_t>(end - 1)]);
    }
    if (top >= bottom) return;
    macs_ += static_cast<double>(model_.graph().macs(id)) * static_cast<double>(bottom - top) /
             static_cast<double>(form.height);
    compute_rows(id, top, bottom, {now_, sums_, wide_});
    settle_rows(id, top, bottom);
}

/// Rows of a node's value have been computed.
template<class Word>
void IntegerImage<Word>::settle_rows(NodeId id, std::int64_t top, std::int64_t bottom)
{
    if (model_.is_wide(id)) return compare_wide(id);
    if (!model_.compared_later(id)) return compare_rows(id, top, bottom);
    IntegerChange& of = change(id);
    of.kind = Kind::rows;
    of.top = top;
    of.bottom = bottom;
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
    const std::int64_t first = at.at(top, 0);
    const Word* const now = now_.data() + first;
    const Word* const golden = golden_.data() + first;
    const std::int64_t words = at.at(bottom - 1, at.form.width) - first;
    const std::int64_t most = std::max<std::int64_t>(model_.list_limit(id), 1);
    if (places_.size() < static_cast<std::size_t>(most)) places_.resize(static_cast<std::size_t>(most));
    const std::int64_t found = model_.kernels().differences(now, golden, words, places_.data(), most);
    if (found == 0) return;
    IntegerChange& of = change(id);
    of.kind = Kind::listed;
    if (found <= most)
    {
        for (std::int64_t i = 0; i < found; ++i)
        {
            const std::int64_t place = places_[static_cast<std::size_t>(i)];
            const std::int64_t in_row = place % at.row;
            of.list.push_back({static_cast<std::uint16_t>(top + place / at.row),
                               static_cast<std::uint16_t>(in_row / at.channels),
                               static_cast<std::uint32_t>(in_row % at.channels)});
        }
        return;
    }
    of.kind = Kind::rows;
    of.top = top + places_[0] / at.row;
    const std::int64_t of_row = at.form.width * at.channels;
    while (std::memcmp(now_.data() + at.at(bottom - 1, 0), golden_.data() + at.at(bottom - 1, 0),
                       static_cast<std::size_t>(of_row) * sizeof(Word)) == 0)
        --bottom;
    of.bottom = bottom;
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
    const std::int64_t outputs = of.blocks * kIntegerLanes;
    const auto where = static_cast<std::size_t>(in.at(at.y, at.x) + at.channel);
    const std::int64_t was = code(golden_[where]);
    const std::int64_t is = code(now_[where]);
    const auto add = [&](std::int64_t tap, std::int64_t y, std::int64_t x) {
        touch(id, y, x);
        Sum* const sums = sums_.data() + model_.sums_at(id) + (y * to.form.width + x) * of.sum_channels +
                          group * of.group_outputs;
        const std::int32_t* const column =
            of.columns->data() + ((in_group * of.taps + tap) * of.groups + group) * outputs;
        model_.kernels().change(sums, column, was, is, of.node.dropped, outputs);
        macs_ += static_cast<double>(of.group_outputs);
    };
    const auto* const conv = std::get_if<Conv2dOp>(&node(id).operation);
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
    std::int64_t top = place(id).form.height;
    std::int64_t bottom = 0;
    for (const IntegerAt& at : touched_list_)
    {
        settle_sums(id, at.y, at.x, 1);
        top = std::min<std::int64_t>(top, at.y);
        bottom = std::max<std::int64_t>(bottom, at.y + 1);
    }
    if (top < bottom) settle_rows(id, top, bottom);
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
