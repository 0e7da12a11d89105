#include "engine/network/builders.hpp"

#include <array>
#include <cmath>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"

namespace flipstorm
{
namespace
{

Operation activation_operation(Activation activation)
{
    if (activation == Activation::relu6) return Relu6Op{};
    return ReluOp{};
}

Graph lenet5(const Shape& input_shape, std::int32_t num_classes, const BuildOptions& options)
{
    const Operation activation = activation_operation(options.activation);
    Graph graph(input_shape);
    NodeId at = graph.add("conv1", Conv2dOp{input_shape[0], 6, 5, 1, 2, 1, true}, {graph.output()});
    at = graph.add("relu1", activation, {at});
    at = graph.add("pool1", MaxPool2dOp{2, 2}, {at});
    at = graph.add("conv2", Conv2dOp{6, 16, 5, 1, 0, 1, true}, {at});
    at = graph.add("relu2", activation, {at});
    at = graph.add("pool2", MaxPool2dOp{2, 2}, {at});
    at = graph.add("flatten", FlattenOp{}, {at});
    const std::int64_t features = elements(graph.node(at).shape);
    at = graph.add("fc1", LinearOp{features, 120, true}, {at});
    at = graph.add("relu3", activation, {at});
    at = graph.add("fc2", LinearOp{120, 84, true}, {at});
    at = graph.add("relu4", activation, {at});
    graph.add("fc3", LinearOp{84, num_classes, true}, {at});
    return graph;
}

/// Depth and width of a residual network of basic blocks.
struct ResNetShape
{
    std::int64_t channels;                   ///< of the first layer; each further layer doubles them
    std::vector<std::int64_t> layer_blocks;  ///< blocks of each layer
};

/// Adds the parts of a residual network to a graph.
class ResNetBuilder
{
  public:
    ResNetBuilder(const Shape& input_shape, const BuildOptions& options)
        : options_(options), activation_(activation_operation(options.activation)), graph_(input_shape)
    {}

    Graph build(const ResNetShape& shape, std::int32_t num_classes) &&
    {
        NodeId at = graph_.output();
        at = convolution("", "1", at, shape.channels, 1, true);
        std::int64_t channels = shape.channels;
        for (std::size_t layer = 0; layer < shape.layer_blocks.size(); ++layer)
        {
            if (layer > 0) channels *= 2;
            for (std::int64_t block = 0; block < shape.layer_blocks[layer]; ++block)
            {
                const std::int64_t stride = layer > 0 && block == 0 ? 2 : 1;
                at = basic_block(fmt::format("layer{}.{}.", layer + 1, block), at, channels, stride);
            }
        }
        at = graph_.add("pool", GlobalAvgPoolOp{}, {at});
        at = graph_.add("flatten", FlattenOp{}, {at});
        graph_.add("linear", LinearOp{channels, num_classes, true}, {at});
        return std::move(graph_);
    }

  private:
    [[nodiscard]] std::int64_t channels_of(NodeId id) const { return graph_.node(id).shape[0]; }

    /// 3×3 convolution with batch norm, and activation where `activated`, in the order asked for.
    NodeId convolution(const std::string& prefix, const std::string& number, NodeId at, std::int64_t channels,
                       std::int64_t stride, bool activated)
    {
        const bool activation_first = options_.order == LayerOrder::conv_act_norm;
        at = graph_.add(prefix + "conv" + number, Conv2dOp{channels_of(at), channels, 3, stride, 1, 1, false},
                        {at});
        if (activation_first) at = graph_.add(prefix + "relu" + number, activation_, {at});
        at = graph_.add(prefix + "bn" + number, BatchNormOp{channels}, {at});
        if (!activation_first && activated) at = graph_.add(prefix + "relu" + number, activation_, {at});
        return at;
    }

    NodeId shortcut(const std::string& prefix, NodeId at, std::int64_t channels, std::int64_t stride)
    {
        const std::int64_t before = channels_of(at);
        if (stride == 1 && before == channels) return at;
        if (options_.shortcut == Shortcut::projection)
        {
            at = graph_.add(prefix + "0", Conv2dOp{before, channels, 1, stride, 0, 1, false}, {at});
            return graph_.add(prefix + "1", BatchNormOp{channels}, {at});
        }
        const Shape shape = graph_.node(at).shape;
        at = graph_.add(prefix + "rows", SliceOp{1, 0, shape[1], stride}, {at});
        at = graph_.add(prefix + "columns", SliceOp{2, 0, shape[2], stride}, {at});
        const std::int64_t zeros = (channels - before) / 2;
        return graph_.add(prefix + "pad", PadOp{zeros, channels - before - zeros, 0, 0, 0, 0}, {at});
    }

    NodeId basic_block(const std::string& prefix, NodeId input, std::int64_t channels, std::int64_t stride)
    {
        NodeId at = convolution(prefix, "1", input, channels, stride, true);
        at = convolution(prefix, "2", at, channels, 1, false);
        const NodeId around = shortcut(prefix + "shortcut.", input, channels, stride);
        at = graph_.add(prefix + "add", AddOp{}, {at, around});
        if (options_.order == LayerOrder::conv_act_norm) return at;
        return graph_.add(prefix + "relu2", activation_, {at});
    }

    BuildOptions options_;
    Operation activation_;
    Graph graph_;
};

/// First values of one parameter: see build_network.
std::vector<float> initial_values(const Node& node, const ParameterSpec& spec, RandomStream random,
                                  Initialisation initialisation)
{
    const auto count = static_cast<std::size_t>(elements(spec.shape));
    if (std::holds_alternative<BatchNormOp>(node.operation))
    {
        const bool is_one = spec.name == node.name + ".weight" || spec.name == node.name + ".running_var";
        return std::vector<float>(count, is_one ? 1.0F : 0.0F);
    }
    const Shape weight = parameters_of(node).front().shape;
    const double bound = 1.0 / std::sqrt(static_cast<double>(elements(weight) / weight[0]));
    const bool is_normal =
        initialisation == Initialisation::kaiming_normal && spec.name == node.name + ".weight";
    std::vector<float> values(count);
    for (float& value : values)
    {
        value = static_cast<float>(is_normal ? std::sqrt(2.0) * bound * random.normal()
                                             : bound * (2.0 * random.uniform() - 1.0));
    }
    return values;
}

std::vector<Parameter> initial_parameters(const Graph& graph, std::uint64_t seed,
                                          Initialisation initialisation)
{
    std::vector<Parameter> parameters;
    for (const Node& node : graph.nodes())
    {
        for (const ParameterSpec& spec : parameters_of(node))
        {
            const RandomStream random(seed, RandomPurpose::initialise, parameters.size());
            parameters.emplace_back(spec.name, spec.shape,
                                    initial_values(node, spec, random, initialisation));
        }
    }
    return parameters;
}

template<class Choice, std::size_t N>
Choice choice_from(const char* key, std::string_view name,
                   const std::array<std::pair<std::string_view, Choice>, N>& choices)
{
    std::string known;
    for (const auto& [text, choice] : choices)
    {
        if (text == name) return choice;
        known += fmt::format("{}{}", known.empty() ? "" : ", ", text);
    }
    throw JobError("{}: '{}' is not known; this build has: {}", key, name, known);
}

Graph build_graph(const std::string& arch, const Shape& input_shape, std::int32_t num_classes,
                  const BuildOptions& options)
{
    if (arch == "lenet5") return lenet5(input_shape, num_classes, options);
    static const std::array<std::pair<std::string_view, ResNetShape>, 6> resnets{{
        {"resnet8", {16, {1, 1, 1}}},
        {"resnet18", {64, {2, 2, 2, 2}}},
        {"resnet20", {16, {3, 3, 3}}},
        {"resnet32", {16, {5, 5, 5}}},
        {"resnet44", {16, {7, 7, 7}}},
        {"resnet56", {16, {9, 9, 9}}},
    }};
    for (const auto& [name, shape] : resnets)
    {
        if (arch == name) return ResNetBuilder(input_shape, options).build(shape, num_classes);
    }
    throw JobError(
        "model.arch: '{}' is not known; this build has: lenet5, resnet8, resnet18, resnet20, resnet32, "
        "resnet44, resnet56",
        arch);
}

}  // namespace

Activation activation_from(std::string_view name)
{
    return choice_from<Activation, 2>("model.activation", name,
                                      {{{"relu", Activation::relu}, {"relu6", Activation::relu6}}});
}

LayerOrder layer_order_from(std::string_view name)
{
    return choice_from<LayerOrder, 2>(
        "model.order", name,
        {{{"conv-norm-act", LayerOrder::conv_norm_act}, {"conv-act-norm", LayerOrder::conv_act_norm}}});
}

Shortcut shortcut_from(std::string_view name)
{
    return choice_from<Shortcut, 2>(
        "model.shortcut", name, {{{"option-a", Shortcut::option_a}, {"projection", Shortcut::projection}}});
}

Initialisation initialisation_from(std::string_view name)
{
    return choice_from<Initialisation, 2>(
        "train.init", name,
        {{{"default", Initialisation::pytorch}, {"kaiming_normal", Initialisation::kaiming_normal}}});
}

Network build_network(const std::string& arch, const Shape& input_shape, std::int32_t num_classes,
                      const Normalisation& normalisation, std::uint64_t seed, const BuildOptions& options)
{
    FS_CHECK(DataError, input_shape.size() == 3, "'{}' takes images of [C, H, W]", arch);
    Graph graph = build_graph(arch, input_shape, num_classes, options);
    std::vector<Parameter> parameters = initial_parameters(graph, seed, options.initialisation);
    return {arch, NumberFormat::fp32, std::move(graph), num_classes, normalisation, std::move(parameters)};
}

}  // namespace flipstorm
