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
      values_(network),
      known_(network.graph().nodes().size(), false),
      box_(known_.size()),
      from_(known_.size(), values_.golden())
{}

void Replay::load(const float* image)
{
    values_.load(image);
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
            from_[index(input)] = values_.golden();
        }
        compute(id, whole(id), values_.golden());
        known_[index(id)] = true;
    }
}

const float* Replay::golden_logits() const
{
    return values_.golden(network_.graph().output());
}

bool Replay::strike(NodeId layer, const float* golden, const float* output)
{
    const ReplayValues::Change change = values_.change(layer, golden, output);
    box_[index(layer)] = change.box;
    huge_ = change.huge;
    overflowed_ = change.nonfinite;
    return !change.box.empty();
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
    const float* const logits = values_.faulty(output);
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
        values_.complete(suffix.cut, whole(suffix.cut));
    for (const NodeId id : suffix.far_nodes)
    {
        if (boxes)
            replay(id);
        else
        {
            for (const NodeId input : node(id).inputs)
                from_[index(input)] = changed(input) ? values_.faulty() : values_.golden();
            overflowed_ = may_overflow(id, whole(id));
            compute(id, whole(id), values_.faulty());
            box_[index(id)] = whole(id);
            values_.set_right(id, whole(id));
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

/// A node's faulty value, from its inputs' and, around them, golden ones.
void Replay::replay(NodeId id)
{
    Box box = reach(id);
    box_[index(id)] = box;
    values_.set_right(id, box);
    if (box.empty()) return;
    const Node& n = node(id);
    if (std::holds_alternative<FlattenOp>(n.operation))
    {
        values_.set_right(id, values_.right(n.inputs[0]));
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
        from_[index(input)] = changed(input) ? values_.faulty() : values_.golden();
        if (changed(input)) values_.complete(input, read_by(windows_of(n, form(input)), box, form(input)));
    }
    overflowed_ = may_overflow(id, box);
    compute(id, box, values_.faulty());
    values_.set_right(id, box);
    box_[index(id)] = values_.shrunk(id, box);
}

}  // namespace flipstorm
