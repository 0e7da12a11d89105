#include "engine/compute/cpu/native_replay.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/base/error.hpp"
#include "engine/compute/cpu/operations.hpp"

namespace flipstorm
{

Replay::Replay(const ReplayNetwork& network)
    : network_(network),
      golden_(static_cast<std::size_t>(network.floats() + kLanes), 0.0F),
      faulty_(golden_.size(), 0.0F),
      known_(network.graph().nodes().size(), false),
      box_(known_.size()),
      there_(known_.size()),
      from_(known_.size(), golden_.data())
{}

std::uint64_t Replay::bytes(const ReplayNetwork& network)
{
    return 2 * static_cast<std::uint64_t>(network.floats()) * sizeof(float);
}

void Replay::load(const float* image)
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
    known_.assign(known_.size(), false);
    known_[0] = true;
}

void Replay::golden(const std::vector<NodeId>& nodes)
{
    for (const NodeId id : nodes)
    {
        if (known_[index(id)]) continue;
        for (const NodeId input : node(id).inputs)
        {
            FS_REQUIRE(known_[index(input)], "node '{}' is needed before '{}'", node(input).name,
                       node(id).name);
            from_[index(input)] = golden_.data();
        }
        compute(id, whole(id), golden_.data());
        known_[index(id)] = true;
    }
}

std::vector<float> Replay::golden_map(NodeId id) const
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

const float* Replay::golden_logits() const
{
    return golden_.data() + network_.at(network_.graph().output(), 0, 0);
}

bool Replay::strike(NodeId layer, const float* golden, const float* output)
{
    const PaddedForm& f = form(layer);
    Box box{f.height, 0, f.width, 0};
    for (std::int64_t row = 0; row < f.channels * f.height; ++row)
    {
        const float* const was = golden + row * f.width;
        const float* const is = output + row * f.width;
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
    box_[index(layer)] = there_[index(layer)] = box;
    huge_ = overflowed_ = false;
    if (box.empty()) return false;
    for (std::int64_t y = box.top; y < box.bottom; ++y)
    {
        for (std::int64_t x = box.left; x < box.right; ++x)
        {
            float* const pixel = faulty_.data() + network_.at(layer, y, x);
            for (std::int64_t c = 0; c < f.channels; ++c)
            {
                pixel[c] = output[(c * f.height + y) * f.width + x];
                huge_ = huge_ || is_huge(pixel[c]);
                overflowed_ = overflowed_ || !std::isfinite(pixel[c]);
            }
        }
    }
    return true;
}

const float* Replay::follow(const LayerSuffix& suffix, const float* golden_logits, std::int64_t left)
{
    if (overflowed_) return nullptr;
    // What does not depend on the layer has not changed.
    forget(suffix.near_sides);
    forget(suffix.far_sides);
    for (const NodeId id : suffix.near_nodes)
    {
        replay(id);
        if (overflowed_) return nullptr;
    }
    if (!changed(suffix.cut)) return nullptr;
    if (!suffix.far_nodes.empty() && !follow_far(suffix, left)) return nullptr;
    const NodeId output = network_.graph().output();
    const float* const logits = faulty_.data() + network_.at(output, 0, 0);
    const auto bytes = static_cast<std::size_t>(form(output).channels) * sizeof(float);
    return std::memcmp(logits, golden_logits, bytes) == 0 ? nullptr : logits;
}

/// Follow the change behind the cut. \returns whether it reaches the logits
bool Replay::follow_far(const LayerSuffix& suffix, std::int64_t left)
{
    double everywhere = 0;
    bool known = true;
    for (const NodeId id : suffix.far_nodes)
    {
        everywhere += macs(id, whole(id));
        known = known && known_[index(id)];
    }
    bool boxes = known;
    if (!known && left > 1)
    {
        const double saved = everywhere - macs_of_boxes(suffix.far_nodes);
        boxes = saved * static_cast<double>(left) > everywhere;
    }
    if (boxes)
        golden(suffix.far_nodes);
    else
        complete(suffix.cut, whole(suffix.cut));
    for (const NodeId id : suffix.far_nodes)
    {
        if (boxes)
            replay(id);
        else
        {
            for (const NodeId input : node(id).inputs)
                from_[index(input)] = changed(input) ? faulty_.data() : golden_.data();
            overflowed_ = may_overflow(id, whole(id));
            compute(id, whole(id), faulty_.data());
            box_[index(id)] = there_[index(id)] = whole(id);
        }
        if (overflowed_) return false;
    }
    return changed(network_.graph().output());
}

/// A box of a node's value from those of its inputs, which `from_` has.
void Replay::compute(NodeId id, const Box& box, float* to)
{
    macs_ += macs(id, box);
    const BoxStep step{network_, id, box, from_, to, space_};
    std::visit([&](const auto& op) { box_on_cpu(op, step); }, node(id).operation);
}

/// Whether a sum in a box of a node may overflow, given its inputs, which `from_` has.
bool Replay::may_overflow(NodeId id, const Box& box) const
{
    const Node& n = node(id);
    const bool product = is_bilinear(n.operation);
    if (!huge_ && !product) return false;
    float largest = 0;
    for (const NodeId input : n.inputs)
    {
        const Box read = read_by(windows_of(n, form(input)), box, form(input));
        const std::int64_t floats = (read.right - read.left) * network_.place(input).channels;
        for (std::int64_t y = read.top; y < read.bottom; ++y)
        {
            const float* const row = from_[index(input)] + network_.at(input, y, read.left);
            largest = std::max(largest, network_.kernels().largest(row, floats));
        }
    }
    // The square of what is not huge may be.
    if (product &&
        static_cast<double>(largest) * static_cast<double>(largest) >= static_cast<double>(kLargeWeight))
        return true;
    return huge_ && static_cast<double>(largest) * network_.overflow().of_whole(id) >=
                        static_cast<double>(kSafeMagnitude);
}

void Replay::forget(const std::vector<NodeId>& nodes)
{
    for (const NodeId id : nodes)
        box_[index(id)] = {};
}

/// Where the changes of a node's inputs can be seen in it.
Box Replay::reach(NodeId id) const
{
    Box box;
    for (const NodeId input : node(id).inputs)
        box = united(box, reached(windows_of(node(id), form(input)), box_[index(input)], form(id)));
    return box;
}

double Replay::macs(NodeId id, const Box& box) const
{
    return static_cast<double>(network_.graph().macs(id)) * static_cast<double>(box.pixels()) /
           static_cast<double>(form(id).pixels());
}

/// What replay() of the nodes takes if nothing of the change dies.
double Replay::macs_of_boxes(const std::vector<NodeId>& nodes)
{
    double sum = 0;
    for (const NodeId id : nodes)
    {
        box_[index(id)] = reach(id);
        sum += macs(id, box_[index(id)]);
    }
    return sum;
}

/// Copy golden values of a box into the faulty ones.
void Replay::copy(NodeId id, const Box& box)
{
    const std::int64_t floats = (box.right - box.left) * network_.place(id).channels;
    for (std::int64_t y = box.top; y < box.bottom && floats > 0; ++y)
    {
        const std::int64_t at = network_.at(id, y, box.left);
        std::copy_n(golden_.data() + at, floats, faulty_.data() + at);
    }
}

/// Make the faulty values of a changed node right in a box: around what changed they are golden.
void Replay::complete(NodeId id, const Box& box)
{
    Box& there = there_[index(id)];
    if (is_within(box, there)) return;
    const Box all = united(there, box);
    copy(id, {all.top, there.top, all.left, all.right});
    copy(id, {there.bottom, all.bottom, all.left, all.right});
    copy(id, {there.top, there.bottom, all.left, there.left});
    copy(id, {there.top, there.bottom, there.right, all.right});
    there = all;
}

/// A node's faulty value, from its inputs' and, around them, golden ones.
void Replay::replay(NodeId id)
{
    Box box = reach(id);
    box_[index(id)] = there_[index(id)] = box;
    if (box.empty()) return;
    const Node& n = node(id);
    if (std::holds_alternative<FlattenOp>(n.operation))
    {
        there_[index(id)] = there_[index(n.inputs[0])];
        return;
    }
    // Whole quads of pixels, so that the product takes them all at once.
    if (is_product(n.operation) && form(id).width % 4 == 0)
    {
        box.left = box.left / 4 * 4;
        box.right = (box.right + 3) / 4 * 4;
    }
    for (const NodeId input : n.inputs)
    {
        from_[index(input)] = changed(input) ? faulty_.data() : golden_.data();
        if (changed(input)) complete(input, read_by(windows_of(n, form(input)), box, form(input)));
    }
    overflowed_ = may_overflow(id, box);
    compute(id, box, faulty_.data());
    there_[index(id)] = box;
    box_[index(id)] = shrunk(id, box);
}

/// The part of a box in which faulty and golden values differ in a bit.
Box Replay::shrunk(NodeId id, const Box& box) const
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
