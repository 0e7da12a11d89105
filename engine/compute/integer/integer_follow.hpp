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

/// Which steps of each pixel of some rows of a value have changed: places_ from starts_[row][pixel] on.
/// \returns how many of all
template<class Word>
std::int64_t IntegerImage<Word>::find_changed_steps(NodeId id, std::int64_t top, std::int64_t bottom)
{
    const IntegerPlace& in = place(id);
    const std::int64_t width = in.form.width;
    const std::int64_t of_pixel = in.channels / WordTraits<Word>::kGroup;
    const auto most = static_cast<std::size_t>((bottom - top) * width * of_pixel + kIntegerLanes);
    if (places_.size() < most) places_.resize(most);
    starts_.resize(static_cast<std::size_t>((bottom - top) * (width + 1)));
    std::int64_t found = 0;
    for (std::int64_t y = top; y < bottom; ++y)
    {
        std::int32_t* place = places_.data() + found;
        std::int32_t* const start = starts_.data() + (y - top) * (width + 1);
        const std::int64_t first = in.at(y, 0);
        found += model_.kernels().changed_steps(now_.data() + first, golden_.data() + first, width * of_pixel,
                                                place);
        const std::int32_t* const end = places_.data() + found;
        for (std::int64_t x = 0; x < width; ++x)
        {
            start[x] = static_cast<std::int32_t>(place - places_.data());
            const auto before = static_cast<std::int32_t>(x * of_pixel);
            for (; place != end && *place < before + of_pixel; ++place)
                *place -= before;
        }
        start[width] = static_cast<std::int32_t>(found);
    }
    return found;
}

/// Row by row whichever is less work: the whole row, or the steps that have changed of the pixels that read
/// any.
template<class Word>
void IntegerImage<Word>::carry_through_conv(const Conv2dOp& op, NodeId id)
{
    using Traits = WordTraits<Word>;
    const NodeId input = node(id).inputs[0];
    const auto [top, bottom] = changed_rows(input);
    const IntegerReach& reach = model_.reach(id, 0);
    const std::int64_t first = reach.first[static_cast<std::size_t>(top)];
    const std::int64_t end = reach.end[static_cast<std::size_t>(bottom - 1)];
    if (first >= end) return;
    const std::int64_t found = find_changed_steps(input, top, bottom);
    if (found == 0) return;

    const IntegerLayer<Word>& of = layer(id);
    const IntegerPlace& in = place(input);
    const std::int64_t width = place(id).form.width;
    const auto steps = static_cast<std::int64_t>(of.steps.size());
    // Where a third of all has changed, no row is less work by its changes.
    if (3 * found * of.taps > (bottom - top) * in.form.width * steps) return carry_rows(id);
    // In tenths of a nanosecond: a multiplication of 16 outputs and a step, a pixel, a changed step.
    constexpr std::int64_t kProduct = Traits::kBits == 8 ? 3 : Traits::kBits == 16 ? 7 : 25;
    constexpr std::int64_t kPixel = 1000;
    const std::int64_t of_change = 50 + 4 * kProduct * of.blocks;
    const std::int64_t of_row = width * (steps * of.blocks * kProduct + 20);
    of_column_.resize(static_cast<std::size_t>(in.form.width));
    of_pixel_.resize(static_cast<std::size_t>(width));
    std::int64_t changed_top = end;
    std::int64_t changed_bottom = first;
    for (std::int64_t y = first; y < end; ++y)
    {
        std::fill(of_column_.begin(), of_column_.end(), 0);
        for (std::int64_t k = 0; k < op.kernel; ++k)
        {
            const std::int64_t row = y * op.stride - op.padding + k * op.dilation;
            if (row < top || row >= bottom) continue;
            const std::int32_t* const start = starts_.data() + (row - top) * (in.form.width + 1);
            for (std::size_t x = 0; x < of_column_.size(); ++x)
                of_column_[x] += start[x + 1] - start[x];
        }
        std::int64_t of_changes = 0;
        for (std::int64_t x = 0; x < width; ++x)
        {
            std::int32_t count = 0;
            for (std::int64_t k = 0; k < op.kernel; ++k)
            {
                const std::int64_t column = x * op.stride - op.padding + k * op.dilation;
                if (column >= 0 && column < in.form.width)
                    count += of_column_[static_cast<std::size_t>(column)];
            }
            of_pixel_[static_cast<std::size_t>(x)] = count;
            if (count > 0) of_changes += kPixel + count * of_change;
        }
        if (of_changes == 0) continue;
        changed_top = std::min(changed_top, y);
        changed_bottom = y + 1;
        if (of_changes < of_row)
            change_pixels(op, id, y, top, bottom);
        else
        {
            product_row(id, now_.data() + in.at(y * op.stride - op.padding, -op.padding),
                        op.stride * in.channels, y, {now_, sums_, wide_});
            macs_ +=
                static_cast<double>(model_.graph().macs(id)) / static_cast<double>(place(id).form.height);
        }
    }
    if (changed_top < changed_bottom) settle_rows(id, changed_top, changed_bottom);
}

/// The pixels of a row of a convolution that read changed steps, of the rows [top, bottom) of its input.
template<class Word>
void IntegerImage<Word>::change_pixels(const Conv2dOp& op, NodeId id, std::int64_t y, std::int64_t top,
                                       std::int64_t bottom)
{
    using Traits = WordTraits<Word>;
    const IntegerLayer<Word>& of = layer(id);
    const IntegerPlace& in = place(node(id).inputs[0]);
    const std::int64_t width = place(id).form.width;
    const std::int64_t of_tap = static_cast<std::int64_t>(of.steps.size()) / of.taps;
    changed_steps_.resize(of.steps.size());
    IntegerProductChange<Word> change;
    change.steps = of.steps.data();
    change.changed = changed_steps_.data();
    change.weights = of.weights->data();
    change.block_weights =
        static_cast<std::int64_t>(of.steps.size()) * kIntegerLanes * Traits::kGroup * Traits::kWeightParts;
    change.blocks = of.blocks;
    change.dropped = of.node.dropped;
    for (std::int64_t x = 0; x < width; ++x)
    {
        if (of_pixel_[static_cast<std::size_t>(x)] == 0) continue;
        std::int32_t* to = changed_steps_.data();
        for (std::int64_t kh = 0; kh < op.kernel; ++kh)
        {
            const std::int64_t row = y * op.stride - op.padding + kh * op.dilation;
            if (row < top || row >= bottom) continue;
            const std::int32_t* const start = starts_.data() + (row - top) * (in.form.width + 1);
            for (std::int64_t kw = 0; kw < op.kernel; ++kw)
            {
                const std::int64_t column = x * op.stride - op.padding + kw * op.dilation;
                if (column < 0 || column >= in.form.width) continue;
                const auto before = static_cast<std::int32_t>((kh * op.kernel + kw) * of_tap);
                for (std::int32_t i = start[column]; i < start[column + 1]; ++i)
                    *to++ = before + places_[static_cast<std::size_t>(i)];
            }
        }
        change.changed_count = to - changed_steps_.data();
        const std::int64_t window = in.at(y * op.stride - op.padding, x * op.stride - op.padding);
        const std::int64_t sums = model_.sums_at(id) + (y * width + x) * of.sum_channels;
        change.now = now_.data() + window;
        change.golden = golden_.data() + window;
        change.start = golden_sums_.data() + sums;
        change.out = sums_.data() + sums;
        model_.kernels().product_change(change);
        macs_ += static_cast<double>(2 * change.changed_count * Traits::kGroup * of.group_outputs);
        settle_sums(id, y, x, 1);
    }
}

/// Only the steps that have changed are multiplied.
template<class Word>
void IntegerImage<Word>::carry_through_linear(NodeId id)
{
    using Traits = WordTraits<Word>;
    const IntegerLayer<Word>& of = layer(id);
    const std::int64_t first = place(node(id).inputs[0]).at(0, 0);
    const auto count = static_cast<std::int64_t>(of.steps.size());
    if (places_.size() < of.steps.size() + kIntegerLanes) places_.resize(of.steps.size() + kIntegerLanes);
    IntegerProductChange<Word> change;
    change.now = now_.data() + first;
    change.golden = golden_.data() + first;
    for (std::int64_t from = 0; from < count; from += of.steps_in_a_row)
    {
        std::int32_t* const places = places_.data() + change.changed_count;
        const std::int64_t found = model_.kernels().changed_steps(
            change.now + of.steps[from], change.golden + of.steps[from], of.steps_in_a_row, places);
        for (std::int64_t i = 0; i < found && from > 0; ++i)
            places[i] += static_cast<std::int32_t>(from);
        change.changed_count += found;
    }
    if (change.changed_count == 0) return;
    // A changed step is multiplied twice. Of 8-bit words that takes no longer than to read its weights.
    if (Traits::kBits > 8 && 2 * change.changed_count > count) return carry_rows(id);
    change.changed = places_.data();
    change.steps = of.steps.data();
    change.weights = of.weights->data();
    change.block_weights = count * kIntegerLanes * Traits::kGroup * Traits::kWeightParts;
    change.start = golden_sums_.data() + model_.sums_at(id);
    change.out = sums_.data() + model_.sums_at(id);
    change.blocks = of.blocks;
    change.dropped = of.node.dropped;
    model_.kernels().product_change(change);
    macs_ += static_cast<double>(2 * change.changed_count * Traits::kGroup * of.group_outputs);
    settle_sums(id, 0, 0, 1);
    settle_rows(id, 0, 1);
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
