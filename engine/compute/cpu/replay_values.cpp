#include "engine/compute/cpu/replay_values.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/compute/overflow_bound.hpp"

namespace flipstorm
{

ReplayValues::ReplayValues(const ReplayNetwork& network)
    : network_(network),
      golden_(static_cast<std::size_t>(network.floats() + kLanes), 0.0F),
      faulty_(golden_.size(), 0.0F),
      right_(network.graph().nodes().size())
{}

std::uint64_t ReplayValues::bytes(const ReplayNetwork& network)
{
    return 2 * static_cast<std::uint64_t>(network.floats()) * sizeof(float);
}

void ReplayValues::load(const float* image)
{
    const NodeId input(0);
    const PaddedForm& f = form(input);
    for (std::int64_t y = 0; y < f.height; ++y)
    {
        for (std::int64_t x = 0; x < f.width; ++x)
        {
            float* const pixel = golden_.data() + network_.at(input, y, x);
            for (std::int64_t c = 0; c < f.channels; ++c)
                pixel[c] = image[(c * f.height + y) * f.width + x];
        }
    }
}

std::vector<float> ReplayValues::golden_map(NodeId id) const
{
    const PaddedForm& f = form(id);
    std::vector<float> map(static_cast<std::size_t>(f.channels * f.pixels()));
    for (std::int64_t y = 0; y < f.height; ++y)
    {
        for (std::int64_t x = 0; x < f.width; ++x)
        {
            const float* const pixel = golden_.data() + network_.at(id, y, x);
            for (std::int64_t c = 0; c < f.channels; ++c)
                map[static_cast<std::size_t>((c * f.height + y) * f.width + x)] = pixel[c];
        }
    }
    return map;
}

ReplayValues::Change ReplayValues::change(NodeId id, const float* was_map, const float* is_map)
{
    const PaddedForm& f = form(id);
    Box box{f.height, 0, f.width, 0};
    for (std::int64_t row = 0; row < f.channels * f.height; ++row)
    {
        const float* const was = was_map + row * f.width;
        const float* const is = is_map + row * f.width;
        if (std::memcmp(was, is, static_cast<std::size_t>(f.width) * sizeof(float)) == 0) continue;
        const auto differs = [&](std::int64_t x) { return std::memcmp(was + x, is + x, sizeof(float)) != 0; };
        std::int64_t left = 0;
        std::int64_t right = f.width;
        while (!differs(left))
            ++left;
        while (!differs(right - 1))
            --right;
        box.top = std::min(box.top, row % f.height);
        box.bottom = std::max(box.bottom, row % f.height + 1);
        box.left = std::min(box.left, left);
        box.right = std::max(box.right, right);
    }
    right_[index(id)] = box;
    Change change;
    change.box = box;
    for (std::int64_t y = box.top; y < box.bottom; ++y)
    {
        for (std::int64_t x = box.left; x < box.right; ++x)
        {
            float* const pixel = faulty_.data() + network_.at(id, y, x);
            for (std::int64_t c = 0; c < f.channels; ++c)
            {
                pixel[c] = is_map[(c * f.height + y) * f.width + x];
                change.huge = change.huge || is_huge(pixel[c]);
                change.nonfinite = change.nonfinite || !std::isfinite(pixel[c]);
            }
        }
    }
    return change;
}

/// Copy golden values of a box into the faulty ones.
void ReplayValues::copy(NodeId id, const Box& box)
{
    const std::int64_t floats = (box.right - box.left) * network_.place(id).channels;
    for (std::int64_t y = box.top; y < box.bottom && floats > 0; ++y)
    {
        const std::int64_t at = network_.at(id, y, box.left);
        std::copy_n(golden_.data() + at, floats, faulty_.data() + at);
    }
}

void ReplayValues::complete(NodeId id, const Box& box)
{
    Box& right = right_[index(id)];
    if (is_within(box, right)) return;
    const Box all = united(right, box);
    copy(id, {all.top, right.top, all.left, all.right});
    copy(id, {right.bottom, all.bottom, all.left, all.right});
    copy(id, {right.top, right.bottom, all.left, right.left});
    copy(id, {right.top, right.bottom, right.right, all.right});
    right = all;
}

Box ReplayValues::shrunk(NodeId id, const Box& box) const
{
    const std::int64_t channels = network_.place(id).channels;
    const auto differ = [&](std::int64_t y, std::int64_t first, std::int64_t end) {
        const std::int64_t at = network_.at(id, y, first);
        return std::memcmp(golden_.data() + at, faulty_.data() + at,
                           static_cast<std::size_t>((end - first) * channels) * sizeof(float)) != 0;
    };
    Box left = box;
    while (left.top < left.bottom && !differ(left.top, box.left, box.right))
        ++left.top;
    if (left.top == left.bottom) return {};
    while (!differ(left.bottom - 1, box.left, box.right))
        --left.bottom;
    const auto column_differs = [&](std::int64_t x) {
        for (std::int64_t y = left.top; y < left.bottom; ++y)
        {
            if (differ(y, x, x + 1)) return true;
        }
        return false;
    };
    while (!column_differs(left.left))
        ++left.left;
    while (!column_differs(left.right - 1))
        --left.right;
    return left;
}

}  // namespace flipstorm
