#include "engine/evaluate/certificate.hpp"

#include <algorithm>
#include <cmath>

#include "engine/compute/torch/spectral_norm.hpp"

namespace flipstorm
{
namespace
{

/// The largest distance of two rows.
double largest_difference(const std::vector<float>& values, std::int64_t rows, std::int64_t columns)
{
    double largest = 0;
    for (std::int64_t a = 0; a < rows; ++a)
    {
        for (std::int64_t b = a + 1; b < rows; ++b)
        {
            double sum = 0;
            for (std::int64_t c = 0; c < columns; ++c)
            {
                const double d = static_cast<double>(values[static_cast<std::size_t>(a * columns + c)]) -
                                 static_cast<double>(values[static_cast<std::size_t>(b * columns + c)]);
                sum += d * d;
            }
            largest = std::max(largest, std::sqrt(sum));
        }
    }
    return largest;
}

}  // namespace

LogitGains::LogitGains(const Network& network)
    : network_(network), consumers_(consumers_of(network.graph)), forms_(value_forms(network.graph))
{}

/// \param input  whose pixels count
WeightedNode LogitGains::weighted(const Node& node, NodeId input) const
{
    WeightedNode weighted = weighted_node(network_, node, forms_[index(input)].pixels());
    weighted.norm = spectral_norm_bound;
    return weighted;
}

double LogitGains::of_whole(NodeId id)
{
    if (whole_.empty()) reckon_whole();
    return whole_[index(id)];
}

void LogitGains::reckon_whole()
{
    const Graph& graph = network_.graph;
    whole_.assign(graph.nodes().size(), 0);
    whole_[index(graph.output())] = std::sqrt(2.0);
    for (std::size_t i = graph.nodes().size() - 1; i > 0; --i)
    {
        const Node& node = graph.nodes()[i];
        const auto* linear = std::get_if<LinearOp>(&node.operation);
        double gain = 0;
        if (linear != nullptr && i == index(graph.output()))
        {
            // Sharper than its norm: the logits are not there but to be compared.
            gain = largest_difference(network_.values(node, ".weight"), linear->out_features,
                                      linear->in_features);
        }
        else
        {
            const WeightedNode node_and_weights = weighted(node, node.inputs[0]);
            gain = std::visit([&](const auto& op) { return op.gain(node_and_weights); }, node.operation) *
                   whole_[i];
        }
        for (const NodeId input : node.inputs)
            whole_[index(input)] += gain;
    }
}

/// What a consumer makes of a unit change of one channel of `changed`, at the logits.
double LogitGains::of_channel(NodeId consumer, const ChangeFlow& flow, NodeId changed, std::int64_t channel,
                              const std::vector<std::vector<double>>& known)
{
    const Node& node = network_.graph.node(consumer);
    const auto* linear = std::get_if<LinearOp>(&node.operation);
    if (linear != nullptr && consumer == network_.graph.output() && forms_[index(changed)].pixels() == 1)
    {
        return largest_difference(columns_of(network_.values(node, ".weight"), 0, linear->out_features,
                                             linear->in_features, channel, 1),
                                  linear->out_features, 1);
    }
    const bool alone = flow.extent[index(consumer)] == Extent::channel;
    const std::int64_t at = channel + flow.shift[index(consumer)] - flow.shift[index(changed)];
    const double behind = alone ? known[index(consumer)][static_cast<std::size_t>(at)] : of_whole(consumer);
    const WeightedNode node_and_weights = weighted(node, changed);
    return std::visit([&](const auto& op) { return op.gain_of_channel(node_and_weights, channel); },
                      node.operation) *
           behind;
}

std::vector<double> LogitGains::of_layer(const ChangeFlow& flow, NodeId layer)
{
    std::vector<std::vector<double>> gain(flow.extent.size());
    for (std::size_t i = flow.extent.size(); i-- > index(layer);)
    {
        if (flow.extent[i] != Extent::channel) continue;
        const NodeId id(static_cast<std::int32_t>(i));
        // One logit alone moves, unless the logits are a flattened map.
        const double of_output = forms_[i].pixels() == 1 ? 1 : std::sqrt(2.0);
        gain[i].assign(static_cast<std::size_t>(forms_[i].channels),
                       id == network_.graph.output() ? of_output : 0);
        const std::int64_t first = flow.shift[i];
        const std::int64_t end = first + forms_[index(layer)].channels;
        for (std::int64_t c = first; c < end; ++c)
        {
            for (const NodeId consumer : consumers_[i])
                gain[i][static_cast<std::size_t>(c)] += of_channel(consumer, flow, id, c, gain);
        }
    }
    return gain[index(layer)];
}

}  // namespace flipstorm
