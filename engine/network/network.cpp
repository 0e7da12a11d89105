#include "engine/network/network.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"
#include "engine/base/sha256.hpp"
#include "engine/network/graph_json.hpp"
#include "engine/network/network_format.hpp"

namespace flipstorm
{
namespace
{

std::size_t parameter_index(const Network& network, const std::string& name)
{
    for (std::size_t i = 0; i < network.parameters.size(); ++i)
    {
        if (network.parameters[i].name == name) return i;
    }
    throw Error("network '{}' has no parameter '{}'", network.arch, name);
}

/// InjectableLayer::suffix_macs of a layer.
std::int64_t change_macs(const Graph& graph, NodeId layer)
{
    const auto at = static_cast<std::size_t>(layer.value());
    std::vector<std::int64_t> changed(graph.nodes().size(), 0);
    changed[at] = 1;
    std::int64_t macs = graph.macs(layer) / graph.node(layer).shape[0];
    for (std::size_t i = at + 1; i < changed.size(); ++i)
    {
        const Node& node = graph.nodes()[i];
        std::vector<std::int64_t> inputs;
        for (const NodeId input : node.inputs)
            inputs.push_back(changed[static_cast<std::size_t>(input.value())]);
        if (std::all_of(inputs.begin(), inputs.end(), [](std::int64_t c) { return c == 0; })) continue;
        const Shape& input_shape = graph.node(node.inputs[0]).shape;
        const ChangedCounts counts{inputs, input_shape, node.shape};
        changed[i] = std::visit([&](const auto& op) { return op.changed_channels(counts); }, node.operation);
        // Of a convolution or linear layer, the part that reads what changed; all else has no MACs.
        macs += graph.macs(NodeId(static_cast<std::int32_t>(i))) * inputs[0] / input_shape[0];
    }
    return macs;
}

/// \throws DataError unless words and activations are of networks of floats, or of one of whole numbers.
void check_activations(const Network& network, const std::string& where)
{
    constexpr std::int32_t kMostBits = 32;
    const bool whole = network.computes_in_integers();
    FS_CHECK(DataError, !whole || network.activations.size() == network.graph.nodes().size(),
             "{}: {} activations for {} nodes", where, network.activations.size(),
             network.graph.nodes().size());
    for (std::size_t i = 0; i < network.activations.size(); ++i)
    {
        const StoredActivation& activation = network.activations[i];
        FS_CHECK(
            DataError,
            activation.bits >= 2 && activation.bits <= kMostBits && std::isfinite(activation.scale) &&
                activation.scale > 0,
            "{}: the values of '{}' have {} bits and the scale {}; 2 to {} bits and a positive scale are "
            "possible",
            where, network.graph.nodes()[i].name, activation.bits, activation.scale, kMostBits);
    }
    for (const InjectableLayer& layer : injectable_layers(network))
    {
        const Parameter& weight = network.parameters[layer.weight];
        FS_CHECK(DataError, weight.traits().whole_numbers == whole,
                 "{}: the weights of '{}' are {}, but the activations are {}: a network computes in whole "
                 "numbers or in floats throughout",
                 where, layer.name, weight.traits().name, whole ? "whole numbers" : "floats");
    }
}

/// \throws DataError unless the biases of layers are stored as those of their weights ask for.
void check_biases(const Network& network, const std::string& where)
{
    for (const Node& node : network.graph.nodes())
    {
        if (!is_product(node.operation) || parameters_of(node).size() < 2) continue;
        const Parameter& weight = network.parameter(node.name + ".weight");
        const Parameter& bias = network.parameter(node.name + ".bias");
        FormatChoice choice;
        choice.format = weight.format();
        const NumberFormat wanted = parameter_format(choice, node, ".bias");
        FS_CHECK(DataError, bias.format() == wanted, "{}: '{}' is {}; beside weights in {} it is {}", where,
                 bias.name, bias.traits().name, weight.traits().name, to_string(wanted));
        if (bias.traits().scaling != Scaling::any) continue;
        const float input = network.activations.at(index(node.inputs[0])).scale;
        const SharedValues& scales = weight.scales();
        bool fits = bias.scales().size() == scales.size();
        for (std::size_t i = 0; fits && i < scales.size(); ++i)
            fits = bias.scales()[i] == scales[i] * input;
        FS_CHECK(DataError, fits,
                 "{}: '{}' has other scales than the sums of its layer: those of the weights times {}, "
                 "that of '{}'",
                 where, bias.name, input, network.graph.node(node.inputs[0]).name);
    }
}

}  // namespace

const Parameter& Network::parameter(const std::string& name) const
{
    return parameters[parameter_index(*this, name)];
}

const std::vector<float>& Network::values(const Node& node, const char* suffix) const
{
    return parameter(node.name + suffix).values();
}

StoredTensor struck_tensor(const Network& network, const InjectableLayer& layer)
{
    const Parameter& parameter = network.parameters[layer.weight];
    if (layer.kind != TensorKind::scales) return parameter;
    return {{static_cast<std::int64_t>(layer.weights)}, parameter.scales()};
}

void set_struck_word(Network& network, const InjectableLayer& layer, std::uint64_t element,
                     std::uint32_t word)
{
    Parameter& parameter = network.parameters[layer.weight];
    if (layer.kind != TensorKind::scales) return parameter.set_word(element, word);
    parameter.set_scale(element, struck_tensor(network, layer).decoded(element, word));
}

namespace
{

/// Tensors of a kind other than weights, behind the layers that there are.
void add_tensors(const Network& network, TensorKind kind, std::vector<InjectableLayer>& layers)
{
    for (std::size_t i = 0; i < network.graph.nodes().size(); ++i)
    {
        const Node& node = network.graph.nodes()[i];
        const bool product = is_product(node.operation);
        if (!product && !std::holds_alternative<BatchNormOp>(node.operation)) continue;
        for (const ParameterSpec& spec : parameters_of(node))
        {
            const bool weight = spec.name == node.name + ".weight";
            const std::size_t at = parameter_index(network, spec.name);
            const bool scaled = format_traits(network.parameters[at].format()).scaling == Scaling::any;
            const bool wanted = kind == TensorKind::biases       ? product && !weight
                                : kind == TensorKind::batch_norm ? !product
                                                                 : product && weight && scaled;
            if (!wanted) continue;
            InjectableLayer layer;
            layer.id = LayerId(static_cast<std::int32_t>(layers.size()));
            layer.node = NodeId(static_cast<std::int32_t>(i));
            layer.kind = kind;
            layer.tensor = kind == TensorKind::scales ? "scales/" + spec.name : spec.name;
            layer.name = layer.tensor;
            layer.weight = at;
            const bool scales = kind == TensorKind::scales;
            layer.weights = scales ? network.parameters[at].scales().size() : network.parameters[at].size();
            layer.out_channels = static_cast<std::int32_t>(layer.weights);
            layer.in_channels = 1;
            layer.word_bits = scales ? word_bits(NumberFormat::fp32) : network.parameters[at].traits().bits;
            layer.format = scales ? NumberFormat::fp32 : network.parameters[at].format();
            layer.suffix_macs = change_macs(network.graph, layer.node);
            layers.push_back(std::move(layer));
        }
    }
}

}  // namespace

std::vector<InjectableLayer> injectable_layers(const Network& network, const std::vector<TensorKind>& kinds)
{
    const auto wants = [&](TensorKind kind) {
        return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
    };
    std::vector<InjectableLayer> layers;
    if (wants(TensorKind::weights)) layers = injectable_layers(network);
    for (const TensorKind kind : {TensorKind::biases, TensorKind::batch_norm, TensorKind::scales})
    {
        if (wants(kind)) add_tensors(network, kind, layers);
    }
    FS_CHECK(
        JobError, !layers.empty(), "campaign.parameters: the network has no {}",
        fmt::join(kinds.size() == 1 ? std::vector<std::string>{to_string(kinds[0])} : tensor_kind_names(),
                  " or "));
    return layers;
}

std::vector<InjectableLayer> injectable_layers(const Network& network)
{
    std::vector<InjectableLayer> layers;
    for (std::size_t i = 0; i < network.graph.nodes().size(); ++i)
    {
        const Node& node = network.graph.nodes()[i];
        if (!is_product(node.operation)) continue;
        InjectableLayer layer;
        layer.id = LayerId(static_cast<std::int32_t>(layers.size()));
        layer.node = NodeId(static_cast<std::int32_t>(i));
        layer.name = node.name;
        layer.tensor = node.name + ".weight";
        layer.weight = parameter_index(network, layer.tensor);
        const Shape& shape = network.parameters[layer.weight].shape();
        layer.weights = static_cast<std::uint64_t>(elements(shape));
        layer.out_channels = static_cast<std::int32_t>(shape[0]);
        layer.in_channels = static_cast<std::int32_t>(shape[1]);
        layer.kernel_elements = static_cast<std::int32_t>(elements(shape) / (shape[0] * shape[1]));
        layer.word_bits = network.parameters[layer.weight].traits().bits;
        layer.format = network.parameters[layer.weight].format();
        layer.suffix_macs = change_macs(network.graph, layer.node);
        layers.push_back(std::move(layer));
    }
    return layers;
}

WeightedNode weighted_node(const Network& network, const Node& node, std::int64_t pixels)
{
    WeightedNode weighted;
    weighted.parameter = [&network, &node](const char* suffix) -> const std::vector<float>& {
        return network.values(node, suffix);
    };
    weighted.pixels = pixels;
    weighted.flat = node.shape.size() == 1;
    return weighted;
}

std::string digest(const Network& network)
{
    Sha256 hash;
    hash.update(network.arch).update("\n").update(to_string(network.format)).update("\n");
    hash.update(canonical_text(network.graph))
        .update(fmt::format("{} {} {}", network.num_classes, network.normalisation.mean,
                            network.normalisation.std_dev));
    for (const Parameter& parameter : network.parameters)
    {
        hash.update(parameter.name).update("\n");
        hash.update(parameter.values().data(), parameter.values().size() * sizeof(float));
        if (parameter.traits().words_are_values) continue;
        hash.update(fmt::format("{} {}\n", parameter.traits().name, parameter.scales().get()));
        hash.update(parameter.words().data(), parameter.words().size() * sizeof(std::uint32_t));
    }
    for (const StoredActivation& activation : network.activations)
        hash.update(fmt::format("{} {}\n", activation.scale, activation.bits));
    return hash.hex();
}

void check_network(const Network& network, const std::string& where)
{
    const std::vector<ParameterSpec> wanted = network.graph.parameters();
    FS_CHECK(DataError, network.parameters.size() == wanted.size(),
             "{}: {} parameter tensors, its graph has {}", where, network.parameters.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i)
    {
        const Parameter& parameter = network.parameters[i];
        FS_CHECK(DataError, parameter.name == wanted[i].name,
                 "{}: parameter {} is '{}', its graph wants '{}'", where, i, parameter.name, wanted[i].name);
        FS_CHECK(DataError,
                 parameter.shape() == wanted[i].shape &&
                     parameter.values().size() == static_cast<std::size_t>(elements(wanted[i].shape)),
                 "{}: parameter '{}' has shape {}, its graph wants {}", where, parameter.name,
                 parameter.shape(), wanted[i].shape);
        for (std::size_t k = 0; k < parameter.values().size(); ++k)
        {
            FS_CHECK(DataError, std::isfinite(parameter.values()[k]),
                     "{}: parameter '{}', element {} is {}; a fault-free network has finite values", where,
                     parameter.name, k, parameter.values()[k]);
        }
    }
    check_activations(network, where);
    check_biases(network, where);
    for (const Node& node : network.graph.nodes())
    {
        const auto* norm = std::get_if<BatchNormOp>(&node.operation);
        if (norm == nullptr) continue;
        const Parameter& variance = network.parameter(node.name + ".running_var");
        for (std::size_t c = 0; c < variance.values().size(); ++c)
        {
            const float value = variance.values()[c];
            FS_CHECK(
                DataError, value >= 0 && static_cast<double>(value) + norm->epsilon > 0,
                "{}: parameter '{}', element {} is {} (epsilon {}); a variance is not negative and, with "
                "epsilon, positive",
                where, variance.name, c, value, norm->epsilon);
        }
    }
    std::vector<bool> read(network.graph.nodes().size(), false);
    read[index(network.graph.output())] = true;
    for (const Node& node : network.graph.nodes())
    {
        for (const NodeId input : node.inputs)
            read[index(input)] = true;
    }
    const auto unread = std::find(read.begin(), read.end(), false);
    FS_CHECK(DataError, unread == read.end(),
             "{}: no node reads '{}', which is not the output: nothing that happens there can matter", where,
             network.graph.nodes()[static_cast<std::size_t>(unread - read.begin())].name);
    const Shape& logits = network.graph.node(network.graph.output()).shape;
    FS_CHECK(DataError, logits == Shape{network.num_classes}, "{}: the output has shape {} for {} classes",
             where, logits, network.num_classes);
    const auto channels = static_cast<std::size_t>(network.graph.input_shape().front());
    FS_CHECK(
        DataError,
        network.normalisation.mean.size() == channels && network.normalisation.std_dev.size() == channels,
        "{}: mean and std have {} and {} values for {} channels", where, network.normalisation.mean.size(),
        network.normalisation.std_dev.size(), channels);
    for (std::size_t c = 0; c < channels; ++c)
    {
        FS_CHECK(DataError,
                 std::isfinite(network.normalisation.mean[c]) &&
                     std::isfinite(network.normalisation.std_dev[c]) && network.normalisation.std_dev[c] > 0,
                 "{}: mean {} and std {} of channel {}; both must be finite, and std positive", where,
                 network.normalisation.mean[c], network.normalisation.std_dev[c], c);
    }
}

}  // namespace flipstorm
