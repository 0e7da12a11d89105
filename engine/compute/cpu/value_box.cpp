#include "engine/compute/cpu/value_box.hpp"

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
    if (windows.stride == 0) return {0, count};
    const std::int64_t before = floor_div(first + windows.padding - windows.extent(), windows.stride);
    const std::int64_t last = floor_div(end - 1 + windows.padding, windows.stride);
    return {std::max<std::int64_t>(before + 1, 0), std::min(last + 1, count)};
}

/// First and end of the inputs, of `count`, that outputs first … end − 1 read.
std::pair<std::int64_t, std::int64_t> read(const Windows& windows, std::int64_t first, std::int64_t end,
                                           std::int64_t count)
{
    return {std::max<std::int64_t>(first * windows.stride - windows.padding, 0),
            std::min((end - 1) * windows.stride - windows.padding + windows.extent(), count)};
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
    return std::visit([&](const auto& op) { return op.windows(in.height, in.width); }, node.operation);
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
