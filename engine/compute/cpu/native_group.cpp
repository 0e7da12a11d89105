#include "engine/compute/cpu/native_group.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/compute/cpu/weight_change.hpp"
#include "engine/compute/overflow_bound.hpp"

namespace flipstorm
{

NativeGroup::NativeGroup(const NativeLayer& layer, const ChangeGroup& group, const NativeGolden& golden,
                         ChangeSpace& space, PairPolicy& policy)
    : layer_(layer),
      graph_(layer.network.graph),
      kernels_(layer.kernels),
      program_(layer.program),
      group_(group),
      golden_(golden),
      policy_(policy),
      screens_(policy.screens()),
      proves_(policy.proves()),
      moves_(layer, golden, policy),
      batch_(layer.network, layer.kernels, layer.program, golden.values, space),
      watch_(layer, batch_)
{}

double NativeGroup::run()
{
    const std::int64_t filter = static_cast<std::int64_t>(layer_.layer.weights) / layer_.layer.out_channels;
    for (std::size_t f = 0; f < group_.count; ++f)
    {
        const auto parameter = static_cast<std::int64_t>(group_.changes[f].parameter);
        delta_.push_back(group_.changes[f].value - layer_.weights[group_.changes[f].parameter]);
        channel_.push_back(parameter / filter);
        element_.push_back(parameter % filter);
        order_.push_back(f);
    }
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
        return group_.changes[a].parameter < group_.changes[b].parameter;
    });
    const auto* conv = std::get_if<Conv2dOp>(&layer_node().operation);
    for (image_ = 0; image_ < golden_.images; ++image_)
    {
        batch_.set_image(image_);
        if (conv != nullptr)
            filters(*conv);
        else
            neurons();
        flush();
    }
    return batch_.macs();
}

/// A linear layer: a weight changes one neuron by itself times one input.
void NativeGroup::neurons()
{
    const NodeId input = layer_node().inputs[0];
    const float* in = golden_.values.maps[index(input)] + image_ * elements(graph_.node(input).shape);
    const auto change_of = [&](std::size_t f) { return delta_[f] * in[element_[f]]; };
    const std::array<float, kLanes> one{1};
    // Per neuron; negative: not known yet.
    std::vector<float> limits(static_cast<std::size_t>(form(layer_.layer.node).channels), -1.0F);
    measures_.clear();
    for (const std::size_t f : order_)
    {
        const float change = change_of(f);
        const std::int64_t neuron = channel_[f];
        LayerMeasure measure;
        measure.fault = f;
        measure.size = std::fabs(change);
        measure.masked = change == 0;
        measure.proven = proves_ ? policy_.harmless_length(image_, neuron) : 0;
        measure.overflows = is_huge(delta_[f]) && !(measure.size < kSafeMagnitude);
        if (screens_ && !measure.masked)
        {
            float& limit = limits[static_cast<std::size_t>(neuron)];
            if (limit < 0) limit = moves_.limit(image_, neuron, one.data(), 1);
            measure.small = limit;
        }
        measures_.push_back(measure);
    }
    policy_.at_layer(image_, measures_.data(), measures_.size());
    for (const LayerMeasure& measure : measures_)
    {
        if (!measure.follows) continue;
        float* map = start(measure);
        std::fill_n(map, kLanes, 0.0F);
        map[0] = change_of(measure.fault);
        if (batch_.full()) flush();
    }
}

/// A convolution: a weight changes one channel, by itself times a shifted input channel.
void NativeGroup::filters(const Conv2dOp& op)
{
    for (std::size_t first = 0; first < order_.size();)
        first = filter_faults(op, first);
}

/// The faults of one weight. \param first  of them, in order. \returns the first one of the next weight
std::size_t NativeGroup::filter_faults(const Conv2dOp& op, std::size_t first)
{
    const NodeId input = layer_node().inputs[0];
    const PaddedForm& in = form(input);
    const PaddedForm& out = form(layer_.layer.node);
    const float* const image = golden_.values.maps[index(input)] + image_ * in.channels * in.pixels();
    const std::uint64_t parameter = group_.changes[order_[first]].parameter;
    const std::int64_t channel = channel_[order_[first]];
    shifted_input(op, in, out, image, channel, element_[order_[first]], map_);
    const float largest = kernels_.largest(map_.data(), out.pixels());
    const bool dead = !(largest > 0);
    LayerMeasure of_weight;
    if (proves_ && !dead)
    {
        const float length = policy_.harmless_length(image_, channel);
        if (length > 0)
        {
            float square = 0;
            kernels_.dots(map_.data(), map_.data(), 0, 1, out.pixels(), &square);
            of_weight.proven = length / std::sqrt(square);
        }
    }
    if (screens_ && !dead) of_weight.small = moves_.limit(image_, channel, map_.data(), largest);
    measures_.clear();
    std::size_t end = first;
    for (; end < order_.size() && group_.changes[order_[end]].parameter == parameter; ++end)
    {
        const float delta = delta_[order_[end]];
        LayerMeasure measure = of_weight;
        measure.fault = order_[end];
        measure.size = std::fabs(delta);
        measure.masked = delta == 0 || (dead && std::isfinite(delta));
        measure.overflows = is_huge(delta) && !(measure.size * largest < kSafeMagnitude);
        measures_.push_back(measure);
    }
    policy_.at_layer(image_, measures_.data(), measures_.size());
    for (const LayerMeasure& measure : measures_)
    {
        if (!measure.follows) continue;
        kernels_.multiply(map_.data(), delta_[measure.fault], start(measure), out.map());
        if (batch_.full()) flush();
    }
    return end;
}

/// A pair that is followed. \returns its change at the layer, to be filled
float* NativeGroup::start(const LayerMeasure& measure)
{
    pairs_.push_back({measure.fault, image_, measure.screened});
    watch_.add(delta_[measure.fault]);
    return batch_.add(channel_[measure.fault]);
}

/// Follow the pairs to the logits.
void NativeGroup::flush()
{
    for (const NativeStep& step : program_.steps)
    {
        if (pairs_.empty()) break;
        if (!step.renamed)
        {
            watch_.before(step, pairs_, policy_);
            batch_.compute(step);
            watch_.after(step);
            if (step.cut) drop_masked(step);
            watch_.remember_restart(step);
        }
        if (step.checkpoint && screens_) check(step);
    }
    finish();
    pairs_.clear();
    batch_.clear();
    watch_.clear();
}

/// Let go the pairs without any change, where nothing else of them is alive.
void NativeGroup::drop_masked(const NativeStep& step)
{
    const std::vector<char>& left = batch_.left();
    if (std::none_of(left.begin(), left.end(), [](char any) { return any == 0; })) return;
    for (std::size_t s = 0; s < pairs_.size(); ++s)
    {
        if (left[s] == 0 && !watch_.overflows(s)) policy_.masked(pairs_[s]);
    }
    const PaddedForm& f = form(step.node);
    keep(step.buffer, step.extent == Extent::channel ? f.map() : f.slot(), left);
}

/// Let go the pairs whose change is too small to matter from here on.
void NativeGroup::check(const NativeStep& step)
{
    const bool all = step.extent == Extent::everything;
    moves_.at_checkpoint(image_, step.node, all);
    flags_.assign(pairs_.size(), 1);
    bool any = false;
    for (std::size_t s = 0; s < pairs_.size(); ++s)
    {
        if (pairs_[s].screened || watch_.overflows(s)) continue;
        if (!moves_.small(batch_.at(step.buffer, s), batch_.channel_at(step.node, s))) continue;
        if (policy_.screened_later(pairs_[s])) continue;
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
    watch_.keep(stays);
    std::size_t to = 0;
    for (std::size_t s = 0; s < pairs_.size(); ++s)
    {
        if (stays[s] == 0) continue;
        pairs_[to] = pairs_[s];
        ++to;
    }
    pairs_.resize(to);
}

/// The logits of the pairs that are left.
void NativeGroup::finish()
{
    const NodeId output = graph_.output();
    const bool all = program_.flow.extent[index(output)] == Extent::everything;
    const float* golden = golden_.logits + image_ * golden_.classes;
    const std::int32_t buffer = program_.steps.empty() ? program_.first_buffer : program_.steps.back().buffer;
    logits_.resize(static_cast<std::size_t>(golden_.classes));
    for (std::size_t s = 0; s < pairs_.size(); ++s)
    {
        if (watch_.overflows(s)) continue;
        const float* change = batch_.at(buffer, s);
        std::copy_n(golden, golden_.classes, logits_.begin());
        if (all)
        {
            for (std::int64_t c = 0; c < golden_.classes; ++c)
                logits_[static_cast<std::size_t>(c)] += change[c];
        }
        else
            logits_[static_cast<std::size_t>(batch_.channel_at(output, s))] += change[0];
        policy_.at_logits(pairs_[s], logits_.data());
    }
}

}  // namespace flipstorm
