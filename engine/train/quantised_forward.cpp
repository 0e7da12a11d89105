#include "engine/train/quantised_forward.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/compute/torch/fake_quantise.hpp"

namespace flipstorm
{

torch::Tensor magnitudes(const torch::Tensor& value, bool positive_part)
{
    const torch::Tensor rows = value.detach().flatten(1);
    if (positive_part) return rows.amax(1).clamp_min(0);
    return torch::maximum(rows.amax(1), -rows.amin(1));
}

float headroom(const Graph& graph, NodeId node)
{
    return node == graph.output() && has_own_scale(graph.node(node).operation) ? 2.0F : 1.0F;
}

QuantisedForward::QuantisedForward(const FormatChoice& choice, const Graph& graph)
    : choice_(choice), graph_(graph), positive_part_(read_by_relus_alone(graph))
{
    check_choice(choice_, graph_);
    if (!learns_ranges()) return;
    seen_.resize(graph_.nodes().size());
    set_ranges(std::vector<float>(graph_.nodes().size(), 0.0F));
}

void QuantisedForward::attach(TrainingHooks& hooks)
{
    const auto changes = [this](const Node& node) {
        return is_product(node.operation) && choice_.layer_format(node.name) != NumberFormat::fp32;
    };
    if (std::any_of(graph_.nodes().begin(), graph_.nodes().end(), changes))
    {
        hooks.parameters = [this](NodeId id, const torch::Tensor* own) { return stored_parameters(id, own); };
    }
    if (!learns_ranges()) return;
    hooks.computed = [this](NodeId id, const torch::Tensor& value) { see(id, value); };
    hooks.value = [this](NodeId id, const torch::Tensor& value) { return quantised(id, value); };
}

void QuantisedForward::begin(bool quantises_values,
                             const std::optional<std::vector<std::int64_t>>& learn_from)
{
    quantises_values_ = quantises_values;
    learn_from_ = learn_from;
}

void QuantisedForward::append_magnitudes(std::vector<float>& to, int rank, int ranks) const
{
    const std::size_t nodes = graph_.nodes().size();
    const std::size_t mine = to.size() + static_cast<std::size_t>(rank) * nodes;
    to.resize(to.size() + static_cast<std::size_t>(ranks) * nodes, 0.0F);
    std::vector<torch::Tensor> seen;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < nodes; ++i)
    {
        if (!seen_[i].defined()) continue;
        seen.push_back(seen_[i]);
        places.push_back(mine + i);
    }
    if (seen.empty()) return;
    const torch::Tensor values = torch::stack(seen).to(torch::kCPU).contiguous();
    for (std::size_t k = 0; k < places.size(); ++k)
        to[places[k]] = values.data_ptr<float>()[k];
}

void QuantisedForward::learn(const float* magnitudes, int ranks)
{
    constexpr double kMomentum = 0.9;
    const std::size_t nodes = ranges_.size();
    std::vector<float> ranges = ranges_;
    for (std::size_t i = 0; i < nodes; ++i)
    {
        float largest = 0;
        for (std::size_t rank = 0; rank < static_cast<std::size_t>(ranks); ++rank)
            largest = std::max(largest, magnitudes[rank * nodes + i]);
        if (!(largest > 0) || !std::isfinite(largest)) continue;
        const float magnitude = headroom(graph_, NodeId(static_cast<std::int32_t>(i))) * largest;
        const double average =
            kMomentum * static_cast<double>(ranges[i]) + (1 - kMomentum) * static_cast<double>(magnitude);
        ranges[i] = std::max(magnitude, static_cast<float>(average));
    }
    set_ranges(std::move(ranges));
}

void QuantisedForward::set_ranges(std::vector<float> ranges)
{
    ranges_ = std::move(ranges);
    if (learns_ranges()) activations_ = stored_activations(choice_, graph_, ranges_);
}

std::vector<torch::Tensor> QuantisedForward::stored_parameters(NodeId id, const torch::Tensor* own) const
{
    const Node& node = graph_.node(id);
    std::vector<torch::Tensor> stored;
    for (const ParameterSpec& spec : parameters_of(node))
    {
        const torch::Tensor& parameter = own[stored.size()];
        const NumberFormat format = parameter_format(choice_, node, spec.name.substr(node.name.size()));
        const FormatTraits& traits = format_traits(format);
        // A bias that the sums take as it is has steps far below those of any value.
        const bool kept = format == NumberFormat::int32;
        stored.push_back(kept ? parameter
                              : fake_quantise(parameter, traits, weight_scales(choice_, traits, parameter)));
    }
    return stored;
}

void QuantisedForward::see(NodeId id, const torch::Tensor& value)
{
    if (!has_own_scale(graph_.node(id).operation)) return;
    const torch::NoGradGuard no_gradients;
    torch::Tensor each = magnitudes(value, positive_part_[index(id)]);
    if (learn_from_) each = each.index_select(0, torch::tensor(*learn_from_, torch::kLong).to(each.device()));
    seen_[index(id)] = each.numel() > 0 ? each.max() : torch::Tensor();
}

torch::Tensor QuantisedForward::quantised(NodeId id, const torch::Tensor& value) const
{
    const Node& node = graph_.node(id);
    if (!quantises_values_ || !is_rounded(node.operation)) return value;
    // A value without a scale of its own has that of the node that gave it one.
    const Node* source = &node;
    NodeId at = id;
    while (!has_own_scale(source->operation))
    {
        at = source->inputs[0];
        source = &graph_.node(at);
    }
    return ranges_[index(at)] > 0 ? fake_quantise(value, activations_[index(id)]) : value;
}

}  // namespace flipstorm
