#pragma once
// Members of IntegerImage: how changes go through products, of which only the steps that have changed are
// multiplied. Included by integer_image.cpp alone.

#include <algorithm>

#include "engine/compute/integer/integer_image.hpp"

namespace flipstorm
{

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

/// What a layer's changes are multiplied with.
template<class Word>
IntegerProductChange<Word> IntegerImage<Word>::product_change(const IntegerLayer<Word>& of)
{
    using Traits = WordTraits<Word>;
    IntegerProductChange<Word> change;
    change.steps = of.steps.data();
    change.weights = of.weights->data();
    change.block_weights =
        static_cast<std::int64_t>(of.steps.size()) * kIntegerLanes * Traits::kGroup * Traits::kWeightParts;
    change.blocks = of.blocks;
    change.dropped = of.node.dropped;
    return change;
}

template<class Word>
void IntegerImage<Word>::multiply_changes(const IntegerLayer<Word>& of,
                                          const IntegerProductChange<Word>& change)
{
    model_.kernels().product_change(change);
    macs_ += static_cast<double>(2 * change.changed_count * WordTraits<Word>::kGroup * of.group_outputs);
}

/// The pixels of a row of a convolution that read changed steps, of the rows [top, bottom) of its input.
template<class Word>
void IntegerImage<Word>::change_pixels(const Conv2dOp& op, NodeId id, std::int64_t y, std::int64_t top,
                                       std::int64_t bottom)
{
    const IntegerLayer<Word>& of = layer(id);
    const IntegerPlace& in = place(node(id).inputs[0]);
    const std::int64_t width = place(id).form.width;
    const std::int64_t of_tap = static_cast<std::int64_t>(of.steps.size()) / of.taps;
    changed_steps_.resize(of.steps.size());
    IntegerProductChange<Word> change = product_change(of);
    change.changed = changed_steps_.data();
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
        multiply_changes(of, change);
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
    IntegerProductChange<Word> change = product_change(of);
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
    change.start = golden_sums_.data() + model_.sums_at(id);
    change.out = sums_.data() + model_.sums_at(id);
    multiply_changes(of, change);
    settle_sums(id, 0, 0, 1);
    settle_rows(id, 0, 1);
}

}  // namespace flipstorm
