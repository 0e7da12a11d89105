#include "engine/evaluate/value_box.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace flipstorm
{
namespace
{

std::int64_t floor_div(std::int64_t a, std::int64_t b)
{
    return a >= 0 ? a / b : -((b - 1 - a) / b);
}

/// First and end of the outputs, of `count`, whose windows touch inputs first … end − 1.
std::pair<std::int64_t, std::int64_t> touched(const Windows& windows, std::int64_t first, std::int64_t end,
                                              std::int64_t count)
{
    const std::int64_t before = floor_div(first + windows.padding - windows.kernel, windows.stride);
    const std::int64_t last = floor_div(end - 1 + windows.padding, windows.stride);
    return {std::max<std::int64_t>(before + 1, 0), std::min(last + 1, count)};
}

/// First and end of the inputs, of `count`, that outputs first … end − 1 read.
std::pair<std::int64_t, std::int64_t> read(const Windows& windows, std::int64_t first, std::int64_t end,
                                           std::int64_t count)
{
    return {std::max<std::int64_t>(first * windows.stride - windows.padding, 0),
            std::min((end - 1) * windows.stride - windows.padding + windows.kernel, count)};
}

}  // namespace

Box whole_box(const ValueForm& form)
{
    return {0, form.height, 0, form.width};
}

Box united(const Box& a, const Box& b)
{
    if (a.empty()) return b;
    if (b.empty()) return a;
    return {std::min(a.top, b.top), std::max(a.bottom, b.bottom), std::min(a.left, b.left),
            std::max(a.right, b.right)};
}

bool is_within(const Box& inner, const Box& outer)
{
    return inner.top >= outer.top && inner.bottom <= outer.bottom && inner.left >= outer.left &&
           inner.right <= outer.right;
}

WindowGrid windows_of(const Node& node, const ValueForm& in)
{
    const auto square = [](std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
        return WindowGrid{{kernel, stride, padding}, {kernel, stride, padding}};
    };
    const Operation& operation = node.operation;
    if (const auto* conv = std::get_if<Conv2dOp>(&operation))
        return square(conv->kernel, conv->stride, conv->padding);
    if (const auto* pool = std::get_if<MaxPool2dOp>(&operation))
        return square(pool->kernel, pool->stride, pool->padding);
    if (const auto* pool = std::get_if<AvgPool2dOp>(&operation)) return square(pool->kernel, pool->stride, 0);
    if (std::holds_alternative<LinearOp>(operation) || std::holds_alternative<GlobalAvgPoolOp>(operation))
        return {{in.height, 1, 0}, {in.width, 1, 0}};
    if (const auto* pad = std::get_if<PadOp>(&operation)) return {{1, 1, pad->top}, {1, 1, pad->left}};
    WindowGrid grid;
    if (const auto* slice = std::get_if<SliceOp>(&operation); slice != nullptr && slice->dimension > 0)
        (slice->dimension == 1 ? grid.rows : grid.columns) = {1, slice->step, -slice->start};
    return grid;
}

Box reached(const WindowGrid& windows, const Box& in, const ValueForm& out)
{
    if (in.empty()) return {};
    Box box;
    std::tie(box.top, box.bottom) = touched(windows.rows, in.top, in.bottom, out.height);
    std::tie(box.left, box.right) = touched(windows.columns, in.left, in.right, out.width);
    return box.empty() ? Box{} : box;
}

Box read_by(const WindowGrid& windows, const Box& out, const ValueForm& in)
{
    Box box;
    std::tie(box.top, box.bottom) = read(windows.rows, out.top, out.bottom, in.height);
    std::tie(box.left, box.right) = read(windows.columns, out.left, out.right, in.width);
    return box;
}

}  // namespace flipstorm
