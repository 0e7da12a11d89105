#include "engine/evaluate/native_group.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "engine/compute/cpu/weight_change.hpp"
#include "engine/evaluate/audit.hpp"

namespace flipstorm
{

NativeGroup::NativeGroup(const NativeEvaluator& evaluator, const InjectableLayer& layer, const Screen* screen,
                         const ChangeGroup& group, const Tile& tile, const NativeTile& golden,
                         ChangeSpace& space)
    : evaluator_(evaluator),
      graph_(evaluator.network().graph),
      kernels_(evaluator.kernels()),
      plan_(evaluator.program(layer)),
      layer_(layer),
      group_(group),
      tile_(tile),
      golden_(golden),
      screen_(evaluator, layer, screen, tile, golden),
      batch_(evaluator.network(), kernels_, plan_, golden.golden, space)
{}

WorkCount NativeGroup::run()
{
    audited_ = choose_audits(evaluator_.seed(), screen_.audit_share(), group_.changes, group_.count,
                             tile_.first, tile_.size());
    const std::vector<float>& weights = evaluator_.weights(layer_);
    delta_.resize(group_.count);
    order_.resize(group_.count);
    for (std::size_t f = 0; f < group_.count; ++f)
    {
        delta_[f] = group_.changes[f].value - weights[group_.changes[f].parameter];
        order_[f] = f;
    }
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
        return group_.changes[a].parameter < group_.changes[b].parameter;
    });
    work_.pairs = static_cast<std::uint64_t>(tile_.size()) * group_.count;
    // As if nothing changed; what changes is tallied when it is known.
    const Tally golden = golden_tally(tile_);
    for (std::size_t f = 0; f < group_.count; ++f)
        group_.tallies[f] += golden;
    const auto* conv = std::get_if<Conv2dOp>(&layer_node().operation);
    for (image_ = 0; image_ < tile_.size(); ++image_)
    {
        batch_.set_image(image_);
        if (conv != nullptr)
            filters(*conv);
        else
            neurons();
        flush();
    }
    work_.macs = batch_.macs() + tally_as_reference(evaluator_.executor(), layer_, group_, tile_, weights,
                                                    overflowing_, &golden_.suffix);
    return work_;
}

/// The Euclidean length below which a change of a channel cannot matter on this image; 0 if unknown.
float NativeGroup::harmless_length(std::int64_t channel) const
{
    const std::vector<double>& gains = evaluator_.gains(layer_);
    if (gains.empty()) return 0;
    return golden_.certain[static_cast<std::size_t>(image_)] /
           static_cast<float>(gains[static_cast<std::size_t>(channel)]);
}

/// Count a pair that may be screened. \returns whether it is followed
bool NativeGroup::goes_on(std::size_t fault, bool screened)
{
    if (!screened) return true;
    ++work_.screened;
    ++group_.screens[fault].screened;
    return audited_[static_cast<std::size_t>(image_) * group_.count + fault] != 0;
}

/// A linear layer: a weight changes one neuron by itself times one input.
void NativeGroup::neurons()
{
    const std::int64_t inputs = static_cast<std::int64_t>(layer_.weights) / layer_.out_channels;
    const float* in = golden_.golden.maps[index(layer_node().inputs[0])] + image_ * inputs;
    const std::array<float, kLanes> one{1};
    // Per neuron; negative: not known yet.
    std::vector<float> limits(static_cast<std::size_t>(form(layer_.node).channels), -1.0F);
    for (const std::size_t f : order_)
    {
        const auto parameter = static_cast<std::int64_t>(group_.changes[f].parameter);
        const std::int64_t neuron = parameter / inputs;
        const float change = delta_[f] * in[parameter % inputs];
        if (change == 0)
        {
            ++work_.masked;
            continue;
        }
        if (std::fabs(change) < harmless_length(neuron))
        {
            ++work_.proven;
            continue;
        }
        if (is_huge(delta_[f]) && !(std::fabs(change) < kSafeMagnitude))
        {
            leave_to_reference(f, neuron, {});
            continue;
        }
        bool screened = false;
        if (screen_.active())
        {
            float& limit = limits[static_cast<std::size_t>(neuron)];
            if (limit < 0) limit = screen_.limit(image_, neuron, one.data(), 1);
            screened = std::fabs(change) < limit;
        }
        if (!goes_on(f, screened)) continue;
        float* map = start(f, neuron, screened);
        std::fill_n(map, kLanes, 0.0F);
        map[0] = change;
        if (batch_.full()) flush();
    }
}

/// A convolution: a weight changes one channel, by itself times a shifted input channel.
void NativeGroup::filters(const Conv2dOp& op)
{
    const NodeId input = layer_node().inputs[0];
    const PaddedForm& in = form(input);
    const PaddedForm& out = form(layer_.node);
    const float* const image = golden_.golden.maps[index(input)] + image_ * in.channels * in.pixels();
    const std::int64_t inputs = static_cast<std::int64_t>(layer_.weights) / layer_.out_channels;
    constexpr std::uint64_t kNone = ~std::uint64_t{0};
    std::uint64_t known = kNone;
    bool dead = false;
    float limit = 0;
    float proven = 0;
    float largest = 0;
    for (const std::size_t f : order_)
    {
        const std::uint64_t parameter = group_.changes[f].parameter;
        const std::int64_t channel = static_cast<std::int64_t>(parameter) / inputs;
        if (parameter != known)
        {
            known = parameter;
            proven = 0;
            shifted_input(op, in, out, image, channel, static_cast<std::int64_t>(parameter) % inputs, map_);
            largest = kernels_.largest(map_.data(), out.pixels());
            dead = !(largest > 0);
            const float length = harmless_length(channel);
            if (length > 0 && !dead)
            {
                float square = 0;
                kernels_.dots(map_.data(), map_.data(), 0, 1, out.pixels(), &square);
                proven = length / std::sqrt(square);
            }
            if (screen_.active() && !dead) limit = screen_.limit(image_, channel, map_.data(), largest);
        }
        const float delta = delta_[f];
        if (delta == 0 || (dead && std::isfinite(delta)))
        {
            ++work_.masked;
            continue;
        }
        if (std::fabs(delta) < proven)
        {
            ++work_.proven;
            continue;
        }
        if (is_huge(delta) && !(std::fabs(delta) * largest < kSafeMagnitude))
        {
            leave_to_reference(f, channel, {});
            continue;
        }
        const bool screened = screen_.active() && !dead && std::fabs(delta) < limit;
        if (!goes_on(f, screened)) continue;
        kernels_.multiply(map_.data(), delta, start(f, channel, screened), out.map());
        if (batch_.full()) flush();
    }
}

/// A pair that is followed. \returns its change at the layer, to be filled
float* NativeGroup::start(std::size_t fault, std::int64_t channel, bool screened)
{
    Pair pair;
    pair.fault = fault;
    pair.audited = audited_[static_cast<std::size_t>(image_) * group_.count + fault] != 0;
    pair.screened = screened;
    pair.huge = is_huge(delta_[fault]);
    any_huge_ = any_huge_ || pair.huge;
    pairs_.push_back(std::move(pair));
    return batch_.add(channel);
}

/// A pair in which a sum may overflow, on the present image.
void NativeGroup::leave_to_reference(std::size_t fault, std::int64_t channel, std::vector<float> at_restart)
{
    overflowing_.push_back(
        {fault, image_, channel + plan_.flow.shift[index(plan_.restart)], std::move(at_restart)});
    ++work_.finished;
}

/// Keep the changes of huge pairs from where they may have to be started anew.
void NativeGroup::remember_restart(const NativeStep& step)
{
    for (std::size_t s = 0; s < pairs_.size(); ++s)
    {
        if (!pairs_[s].huge) continue;
        const float* const change = batch_.at(step.buffer, s);
        pairs_[s].at_restart.assign(change, change + form(step.node).pixels());
    }
}

/// Find the pairs that have become huge in a product.
void NativeGroup::find_huge(const NativeStep& step)
{
    const PaddedForm& f = form(step.node);
    const std::int64_t floats = step.extent == Extent::everything ? f.slot() : f.pixels();
    for (std::size_t s = 0; s < pairs_.size(); ++s)
    {
        pairs_[s].huge = pairs_[s].huge || is_huge(kernels_.largest(batch_.at(step.buffer, s), floats));
        any_huge_ = any_huge_ || pairs_[s].huge;
    }
}

/// Find the pairs whose sums may overflow in a step, or cancel in a product; what is computed of them from
/// here on is not used.
void NativeGroup::watch(const NativeStep& step)
{
    const OverflowBound& bound = evaluator_.overflow();
    const bool both = step.product && step.inputs.size() > 1;
    for (std::size_t s = 0; s < pairs_.size(); ++s)
    {
        Pair& pair = pairs_[s];
        if (!(pair.huge || both) || pair.overflows) continue;
        double farthest = 0;
        for (const ChangedInput& input : step.inputs)
        {
            const bool whole = input.extent == Extent::everything;
            const float size = kernels_.largest(batch_.at(input.buffer, s),
                                                whole ? form(input.node).slot() : form(input.node).pixels());
            if (both && size > kLargestFactor) farthest = static_cast<double>(kSafeMagnitude);
            if (!pair.huge) continue;
            farthest = std::max(farthest,
                                static_cast<double>(size) *
                                    (whole ? bound.of_whole(step.node)
                                           : bound.of_channel(step.node, batch_.channel_at(input.node, s))));
        }
        if (farthest < static_cast<double>(kSafeMagnitude)) continue;
        pair.overflows = true;
        leave_to_reference(pair.fault, batch_.channel(s), std::move(pair.at_restart));
    }
}

/// Follow the pairs to the logits.
void NativeGroup::flush()
{
    for (const NativeStep& step : plan_.steps)
    {
        if (pairs_.empty()) break;
        if (!step.renamed)
        {
            if (any_huge_ || (step.product && step.inputs.size() > 1)) watch(step);
            batch_.compute(step);
            if (step.product) find_huge(step);
            if (step.cut) drop_masked(step);
            if (any_huge_ && step.node == plan_.restart) remember_restart(step);
        }
        if (step.checkpoint && screen_.active()) check(step);
    }
    finish();
    pairs_.clear();
    batch_.clear();
    any_huge_ = false;
}

/// Let go the pairs without any change, where nothing else of them is alive.
void NativeGroup::drop_masked(const NativeStep& step)
{
    const std::vector<char>& left = batch_.left();
    if (std::none_of(left.begin(), left.end(), [](char any) { return any == 0; })) return;
    for (std::size_t s = 0; s < pairs_.size(); ++s)
    {
        if (left[s] != 0 || pairs_[s].overflows) continue;
        ++work_.masked;
        if (pairs_[s].screened) ++group_.screens[pairs_[s].fault].audited;
    }
    const PaddedForm& f = form(step.node);
    keep(step.buffer, step.extent == Extent::channel ? f.map() : f.slot(), left);
}

/// Let go the pairs whose change is too small to matter, to first order from here on.
void NativeGroup::check(const NativeStep& step)
{
    const bool all = step.extent == Extent::everything;
    screen_.at_checkpoint(image_, step.node, all);
    flags_.assign(pairs_.size(), 1);
    bool any = false;
    for (std::size_t s = 0; s < pairs_.size(); ++s)
    {
        Pair& pair = pairs_[s];
        if (pair.screened || pair.overflows) continue;
        if (!screen_.small(batch_.at(step.buffer, s), batch_.channel_at(step.node, s))) continue;
        ++work_.rescreened;
        ++group_.screens[pair.fault].screened;
        pair.screened = true;
        if (pair.audited) continue;
        flags_[s] = 0;
        any = true;
    }
    const PaddedForm& f = form(step.node);
    if (any) keep(step.buffer, all ? f.slot() : f.map(), flags_);
}

/// Close the gaps that pairs leave; only `buffer` is alive.
void NativeGroup::keep(std::int32_t buffer, std::int64_t floats, const std::vector<char>& stays)
{
    batch_.keep(buffer, floats, stays);
    std::size_t to = 0;
    for (std::size_t s = 0; s < pairs_.size(); ++s)
    {
        if (stays[s] == 0) continue;
        if (to != s) pairs_[to] = std::move(pairs_[s]);
        ++to;
    }
    pairs_.resize(to);
}

/// Judge the logits of the pairs that are left.
void NativeGroup::finish()
{
    const NodeId output = graph_.output();
    const bool all = plan_.flow.extent[index(output)] == Extent::everything;
    const std::int64_t classes = golden_.logits.size(1);
    const float* golden = golden_.logits.data_ptr<float>() + image_ * classes;
    const std::int32_t buffer = plan_.steps.empty() ? plan_.first_buffer : plan_.steps.back().buffer;
    const std::int32_t label = tile_.label[static_cast<std::size_t>(image_)];
    const std::int32_t top1 = tile_.top1[static_cast<std::size_t>(image_)];
    logits_.resize(static_cast<std::size_t>(classes));
    for (std::size_t s = 0; s < pairs_.size(); ++s)
    {
        const Pair& pair = pairs_[s];
        if (pair.overflows) continue;
        const float* change = batch_.at(buffer, s);
        std::copy_n(golden, classes, logits_.begin());
        if (all)
        {
            for (std::int64_t c = 0; c < classes; ++c)
                logits_[static_cast<std::size_t>(c)] += change[c];
        }
        else
            logits_[static_cast<std::size_t>(batch_.channel_at(output, s))] += change[0];
        const Tally judged = judge(logits_.data(), classes, label, top1);
        ++work_.finished;
        if (pair.screened)
        {
            ++work_.audited;
            ++group_.screens[pair.fault].audited;
            group_.screens[pair.fault].disagreements += judged.mismatches;
        }
        if (judged.mismatches == 0) continue;
        tally_change(group_.tallies[pair.fault], judged, top1 == label);
    }
}

}  // namespace flipstorm
