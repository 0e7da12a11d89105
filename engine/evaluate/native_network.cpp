#include "engine/evaluate/native_network.hpp"

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/**
 * Pack weights [outputs][inputs per group][taps] for the kernels.
 *
 * \param element  flat index of (output, input of the group, tap) in `values`
 */
template<class Element>
PackedLayer pack(const std::vector<float>& values, std::int64_t outputs, std::int64_t groups,
                 std::int64_t group_inputs, std::int64_t taps, std::int64_t most_vectors, Element element)
{
    PackedLayer layer;
    layer.taps = taps;
    layer.groups = groups;
    layer.group_inputs = group_inputs;
    layer.group_outputs = outputs / groups;
    layer.whole_vectors = groups == 1 || layer.group_outputs % kLanes == 0;
    const std::int64_t vectors = padded(layer.group_outputs) / kLanes;
    for (std::int64_t g = 0; g < groups; ++g)
    {
        for (std::int64_t v = 0; v < vectors;)
        {
            const std::int64_t width = vectors - v >= most_vectors ? most_vectors : 1;
            WeightBlock block;
            block.group = g;
            block.vectors = width;
            block.first_output = g * layer.group_outputs + v * kLanes;
            block.outputs = std::min(width * kLanes, layer.group_outputs - v * kLanes);
            block.offset = layer.weights.size();
            layer.weights.resize(block.offset +
                                 static_cast<std::size_t>(taps * group_inputs * width * kLanes));
            float* to = layer.weights.data() + block.offset;
            for (std::int64_t t = 0; t < taps; ++t)
            {
                for (std::int64_t c = 0; c < group_inputs; ++c, to += width * kLanes)
                {
                    for (std::int64_t o = 0; o < block.outputs; ++o)
                        to[o] = values[static_cast<std::size_t>(element(block.first_output + o, c, t))];
                }
            }
            layer.blocks.push_back(block);
            v += width;
        }
    }
    return layer;
}

ConvGeometry conv_geometry(const Conv2dOp& op, const ValueForm& in, const ValueForm& out)
{
    ConvGeometry geometry;
    geometry.frame = op.padding;
    geometry.framed_height = in.height + 2 * op.padding;
    geometry.framed_width = in.width + 2 * op.padding;
    const std::int64_t channels = padded(in.channels);
    for (std::int64_t y = 0; y < op.kernel; ++y)
    {
        for (std::int64_t x = 0; x < op.kernel; ++x)
        {
            geometry.taps_map.push_back(y * geometry.framed_width + x);
            geometry.taps_slot.push_back((y * geometry.framed_width + x) * channels);
        }
    }
    const bool whole = out.width % 4 == 0;
    geometry.pixels_per_call = whole ? out.pixels() : out.width;
    geometry.call_step_map = op.stride * geometry.framed_width;
    geometry.call_step_slot = geometry.call_step_map * channels;
    for (std::int64_t pixel = 0; pixel < geometry.pixels_per_call; pixel += 4)
    {
        const std::int64_t at =
            pixel / out.width * op.stride * geometry.framed_width + pixel % out.width * op.stride;
        geometry.quads_map.push_back(at);
        geometry.quads_slot.push_back(at * channels);
    }
    return geometry;
}

}  // namespace

std::vector<ValueForm> value_forms(const Graph& graph)
{
    std::vector<ValueForm> forms;
    for (const Node& node : graph.nodes())
    {
        if (!node.inputs.empty() && node.shape.size() == 1 &&
            !std::holds_alternative<LinearOp>(node.operation) &&
            !std::holds_alternative<ConcatOp>(node.operation))
        {
            forms.push_back(
                forms[index(node.inputs[0])]);  // flattened, and what works on it element by element
        }
        else if (node.shape.size() == 3)
            forms.push_back({node.shape[0], node.shape[1], node.shape[2]});
        else
            forms.push_back({node.shape[0], 1, 1});
    }
    return forms;
}

std::string native_obstacle(const Graph& graph)
{
    const std::vector<ValueForm> forms = value_forms(graph);
    for (const Node& node : graph.nodes())
    {
        for (const NodeId input : node.inputs)
        {
            const ValueForm& form = forms[index(input)];
            const bool flat = graph.node(input).shape.size() == 1 && form.pixels() > 1;
            const bool reads_flat = std::holds_alternative<LinearOp>(node.operation) ||
                                    std::holds_alternative<ReluOp>(node.operation) ||
                                    std::holds_alternative<Relu6Op>(node.operation) ||
                                    std::holds_alternative<FlattenOp>(node.operation);
            if (flat && !reads_flat)
                return fmt::format("node '{}' reads a flattened map ('{}')", node.name,
                                   graph.node(input).name);
        }
    }
    const ValueForm& logits = forms.back();
    if (logits.pixels() > 1)
        return fmt::format("the logits are a flattened map of {}×{}", logits.height, logits.width);
    return {};
}

NativeNetwork native_network(const Network& network, const Kernels& kernels)
{
    const std::string obstacle = native_obstacle(network.graph);
    FS_REQUIRE(obstacle.empty(), "{}", obstacle);
    const std::size_t count = network.graph.nodes().size();
    NativeNetwork native{network.graph, value_forms(network.graph), {}, {}, {}};
    native.packed.resize(count);
    native.geometry.resize(count);
    native.scale.resize(count);
    for (std::size_t i = 0; i < count; ++i)
    {
        const Node& node = network.graph.nodes()[i];
        if (const auto* conv = std::get_if<Conv2dOp>(&node.operation))
        {
            const std::int64_t inputs = conv->in_channels / conv->groups;
            const std::int64_t taps = conv->kernel * conv->kernel;
            native.packed[i] = pack(
                network.parameter(node.name + ".weight").values(), conv->out_channels, conv->groups, inputs,
                taps, kernels.most_vectors,
                [&](std::int64_t o, std::int64_t c, std::int64_t t) { return (o * inputs + c) * taps + t; });
            native.geometry[i] = conv_geometry(*conv, native.form[index(node.inputs[0])], native.form[i]);
        }
        else if (const auto* linear = std::get_if<LinearOp>(&node.operation))
        {
            const ValueForm& in = native.form[index(node.inputs[0])];
            native.packed[i] =
                pack(network.parameter(node.name + ".weight").values(), linear->out_features, 1, in.channels,
                     in.pixels(), kernels.most_vectors, [&](std::int64_t o, std::int64_t c, std::int64_t t) {
                         return (o * in.channels + c) * in.pixels() + t;
                     });
            ConvGeometry& geometry = native.geometry[i];
            for (std::int64_t p = 0; p < in.pixels(); ++p)
            {
                geometry.taps_map.push_back(p);
                geometry.taps_slot.push_back(p * padded(in.channels));
            }
        }
        else if (const auto* norm = std::get_if<BatchNormOp>(&node.operation))
        {
            const std::vector<double> exact = batch_norm_scale(network, node);
            std::vector<float>& scale = native.scale[i];
            scale.assign(static_cast<std::size_t>(padded(norm->channels)), 0.0F);
            for (std::size_t c = 0; c < exact.size(); ++c)
                scale[c] = static_cast<float>(exact[c]);
        }
    }
    return native;
}

}  // namespace flipstorm
