#include "engine/network/network_format.hpp"

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

bool is_fixed_point(NumberFormat format)
{
    return format_traits(format).scaling == Scaling::power_of_two;
}

/// Whether both can be formats of layers of one network.
bool stand_together(NumberFormat a, NumberFormat b)
{
    return format_traits(a).whole_numbers == format_traits(b).whole_numbers;
}

NumberFormat bias_format(NumberFormat layer)
{
    switch (layer)
    {
        case NumberFormat::fp32:
        case NumberFormat::fp16:
        case NumberFormat::bf16:
        case NumberFormat::fxp32:
        case NumberFormat::fxp16:
        case NumberFormat::fxp8:
            return layer;
        case NumberFormat::fp8_e4m3:
        case NumberFormat::fp8_e5m2:
            return NumberFormat::fp32;
        case NumberFormat::int8:
        case NumberFormat::int32:
            return NumberFormat::int32;
    }
    throw Error("no number format is number {}", static_cast<int>(layer));
}

float largest_magnitude(const float* values, std::size_t count)
{
    float largest = 0;
    for (std::size_t i = 0; i < count; ++i)
        largest = std::max(largest, std::fabs(values[i]));
    return largest;
}

}  // namespace

NumberFormat FormatChoice::layer_format(const std::string& layer) const
{
    const auto found = of_layer.find(layer);
    return found == of_layer.end() ? format : found->second;
}

void check_choice(const FormatChoice& choice, const Graph& graph)
{
    std::string layers;
    for (const Node& node : graph.nodes())
    {
        if (is_product(node.operation)) layers += (layers.empty() ? "" : ", ") + node.name;
    }
    for (const auto& of_layer : choice.of_layer)
    {
        const std::string& layer = of_layer.first;
        const NumberFormat format = of_layer.second;
        const bool known = std::any_of(graph.nodes().begin(), graph.nodes().end(), [&](const Node& node) {
            return node.name == layer && is_product(node.operation);
        });
        FS_CHECK(JobError, known, "model.formats: the network has no layer '{}'; it has: {}", layer, layers);
        FS_CHECK(JobError, stand_together(format, choice.format),
                 "model.formats: '{}' is {}, and model.format {}: a network computes in floating point or in "
                 "whole numbers throughout",
                 layer, to_string(format), to_string(choice.format));
        const bool mixed = (format == NumberFormat::int8 && choice.format == NumberFormat::fxp32) ||
                           (format == NumberFormat::fxp32 && choice.format == NumberFormat::int8);
        FS_CHECK(JobError, !mixed,
                 "model.formats: '{}' is {}, and model.format {}: their scales do not fit into one sum; take "
                 "fxp16 or fxp8 beside int8",
                 layer, to_string(format), to_string(choice.format));
    }
    const bool used = std::any_of(graph.nodes().begin(), graph.nodes().end(), [&](const Node& node) {
        return is_product(node.operation) && choice.layer_format(node.name) == choice.format;
    });
    FS_CHECK(JobError, used,
             "model.format is {}, but model.formats has another one for every layer; let it be that of "
             "some",
             to_string(choice.format));
    for (const Node& node : graph.nodes())
    {
        const NumberFormat format = choice.layer_format(node.name);
        FS_CHECK(JobError, !is_fixed_point(format) || choice.integer_bits <= word_bits(format),
                 "model.integer_bits is {}; {} has words of {} bits", choice.integer_bits, to_string(format),
                 word_bits(format));
    }
}

NumberFormat parameter_format(const FormatChoice& choice, const Node& node, const std::string& suffix)
{
    if (!is_product(node.operation)) return NumberFormat::fp32;
    const NumberFormat layer = choice.layer_format(node.name);
    return suffix == ".bias" ? bias_format(layer) : layer;
}

std::vector<float> weight_scales(const FormatChoice& choice, NumberFormat format,
                                 const std::vector<float>& values, std::int64_t outputs)
{
    switch (format_traits(format).scaling)
    {
        case Scaling::none:
            return {};
        case Scaling::power_of_two:
            return {std::ldexp(1.0F, choice.integer_bits - word_bits(format))};
        case Scaling::any:
            break;
    }
    const float most = std::ldexp(1.0F, word_bits(format) - 1) - 1;
    const std::size_t parts = choice.scale_per_channel ? static_cast<std::size_t>(outputs) : 1;
    const std::size_t each = values.size() / parts;
    std::vector<float> scales;
    for (std::size_t p = 0; p < parts; ++p)
    {
        const float scale = largest_magnitude(values.data() + p * each, each) / most;
        scales.push_back(scale > 0 ? scale : 1);
    }
    return scales;
}

std::vector<std::int32_t> activation_bits(const FormatChoice& choice, const Graph& graph)
{
    constexpr std::int32_t kMostOfLogits = 24;
    std::vector<std::int32_t> bits;
    for (const Node& node : graph.nodes())
    {
        if (is_product(node.operation))
            bits.push_back(word_bits(choice.layer_format(node.name)));
        else if (node.inputs.empty())
            bits.push_back(word_bits(choice.format));
        else
        {
            std::int32_t most = 0;
            for (const NodeId input : node.inputs)
                most = std::max(most, bits[index(input)]);
            bits.push_back(most);
        }
    }
    if (is_product(graph.nodes().back().operation)) bits.back() = std::min(2 * bits.back(), kMostOfLogits);
    return bits;
}

float activation_scale(float range, std::int32_t bits, bool power_of_two)
{
    const double most = std::ldexp(1.0, bits - 1) - 1;
    const double scale = range > 0 ? static_cast<double>(range) / most : std::ldexp(1.0, 1 - bits);
    return static_cast<float>(power_of_two ? std::exp2(std::ceil(std::log2(scale))) : scale);
}

std::vector<bool> read_by_relus_alone(const Graph& graph)
{
    std::vector<bool> alone(graph.nodes().size(), true);
    alone[index(graph.output())] = false;
    for (const Node& node : graph.nodes())
    {
        const bool relu =
            std::holds_alternative<ReluOp>(node.operation) || std::holds_alternative<Relu6Op>(node.operation);
        for (const NodeId input : node.inputs)
            alone[index(input)] = alone[index(input)] && relu;
    }
    return alone;
}

std::vector<StoredActivation> stored_activations(const FormatChoice& choice, const Graph& graph,
                                                 const std::vector<float>& ranges)
{
    FS_REQUIRE(ranges.size() == graph.nodes().size(), "{} ranges for {} nodes", ranges.size(),
               graph.nodes().size());
    const bool power_of_two = is_fixed_point(choice.format);
    const std::vector<std::int32_t> bits = activation_bits(choice, graph);
    std::vector<StoredActivation> activations;
    for (std::size_t i = 0; i < ranges.size(); ++i)
    {
        const Node& node = graph.nodes()[i];
        if (has_own_scale(node.operation))
            activations.push_back({activation_scale(ranges[i], bits[i], power_of_two), bits[i]});
        else
            activations.push_back({activations[index(node.inputs[0])].scale, bits[i]});
    }
    return activations;
}

Network stored_as(const Network& network, const FormatChoice& choice, const std::vector<float>& ranges)
{
    check_choice(choice, network.graph);
    Network stored{
        network.arch, choice.format, network.graph, network.num_classes, network.normalisation, {}, {}};
    if (choice.in_integers()) stored.activations = stored_activations(choice, network.graph, ranges);
    for (const Node& node : network.graph.nodes())
    {
        std::vector<float> of_weights;
        for (const ParameterSpec& spec : parameters_of(node))
        {
            const Parameter& parameter = network.parameter(spec.name);
            const std::string suffix = spec.name.substr(node.name.size());
            const FormatTraits& traits = format_traits(parameter_format(choice, node, suffix));
            std::vector<float> scales;
            if (suffix == ".weight")
            {
                scales = weight_scales(choice, traits.format, parameter.values(), spec.shape.front());
                of_weights = scales;
            }
            else if (traits.scaling == Scaling::any)
            {
                for (const float scale : of_weights)
                    scales.push_back(scale * stored.activations[index(node.inputs[0])].scale);
            }
            else if (traits.scaling == Scaling::power_of_two)
                scales = of_weights;
            stored.parameters.emplace_back(spec.name, spec.shape, parameter.values(), traits, scales);
        }
    }
    return stored;
}

}  // namespace flipstorm
