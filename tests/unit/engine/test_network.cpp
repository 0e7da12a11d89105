#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/network/builders.hpp"
#include "engine/network/graph_json.hpp"
#include "sample_networks.hpp"

namespace flipstorm
{
namespace
{

Network lenet()
{
    return build_network("lenet5", NumberFormat::fp32, {1, 28, 28}, 10, {{0.3F}, {0.3F}}, 1);
}

Network resnet(const std::string& arch, const BuildOptions& options = {}, std::int32_t classes = 10)
{
    return build_network(arch, NumberFormat::fp32, {3, 32, 32}, classes, {{0, 0, 0}, {1, 1, 1}}, 1, options);
}

TEST(Lenet5, Has61706Parameters)
{
    std::int64_t total = 0;
    for (const Parameter& parameter : lenet().parameters)
        total += elements(parameter.shape());
    EXPECT_EQ(total, 61706);
}

TEST(Lenet5, LayersAreThoseOfThePaper)
{
    const std::vector<InjectableLayer> layers = injectable_layers(lenet());
    ASSERT_EQ(layers.size(), 5U);
    const std::vector<std::string> names{"conv1", "conv2", "fc1", "fc2", "fc3"};
    const std::vector<std::uint64_t> weights{150, 2400, 48000, 10080, 840};
    for (std::size_t i = 0; i < layers.size(); ++i)
    {
        EXPECT_EQ(layers[i].name, names[i]);
        EXPECT_EQ(layers[i].weights, weights[i]);
        EXPECT_EQ(layers[i].word_bits, 32);
    }
    EXPECT_EQ(layers[1].in_channels, 6);
    EXPECT_EQ(layers[1].kernel_elements, 25);
    // conv2: one of 16 channels of 10×10 outputs × 150; its 5×5 positions of the 400 inputs of fc1; then all.
    EXPECT_EQ(layers[1].suffix_macs, 10 * 10 * 150 + 25 * 120 + 10080 + 840);
    EXPECT_EQ(layers[4].suffix_macs, 84);
}

TEST(Lenet5, StartsAsPyTorchDoes)
{
    const Network network = lenet();
    const Parameter& weight = network.parameter("fc1.weight");
    const double bound = 1.0 / std::sqrt(400.0);
    double squares = 0;
    for (const float value : weight.values())
    {
        ASSERT_LE(std::abs(value), bound);
        squares += static_cast<double>(value) * value;
    }
    EXPECT_NEAR(squares / static_cast<double>(weight.values().size()), bound * bound / 3,
                bound * bound * 0.01);
    EXPECT_EQ(digest(network), digest(lenet()));
}

// LeNet-5 holds most at relu1: conv1 and relu1, 4,704 each. Behind pool2: two values of 400.
TEST(Graph, KnowsWhatIsAliveAtOnce)
{
    const Network network = lenet();
    EXPECT_EQ(live_elements(network.graph, NodeId(0)), 2 * 4704);
    EXPECT_EQ(live_elements(network.graph, NodeId(6)), 800);
    Graph branched({1, 2, 2});
    const NodeId a = branched.add("a", ReluOp{}, {NodeId(0)});
    const NodeId b = branched.add("b", ReluOp{}, {a});
    const NodeId c = branched.add("c", ReluOp{}, {b});
    branched.add("sum", AddOp{}, {c, a});
    EXPECT_EQ(live_elements(branched, NodeId(0)), 12);  // a, b and c, or a, c and their sum
    EXPECT_EQ(live_elements(branched, c), 12);          // c, the sum, and a from elsewhere
    // Most of a ResNet-20 is alive at the end of a block of layer1: what came in, what the block made of it,
    // and their sum, 16×32×32 each; inside the block, its input and two values.
    EXPECT_EQ(live_elements(resnet("resnet20").graph, NodeId(0)), 3 * 16 * 32 * 32);
}

TEST(Graph, SurvivesJson)
{
    const Network network = lenet();
    const std::string json = to_json(network.graph);
    const Graph again = graph_from_json(json);
    EXPECT_EQ(to_json(again), json);
    EXPECT_EQ(again.nodes().size(), network.graph.nodes().size());
    EXPECT_EQ(again.parameters().size(), network.graph.parameters().size());
}

std::int64_t trainable_parameters(const Network& network)
{
    std::int64_t total = 0;
    for (const ParameterSpec& spec : network.graph.parameters())
        total += spec.trainable ? elements(spec.shape) : 0;
    return total;
}

// He et al., CVPR 2016, table 6, to the last parameter as in the PyTorch modules of akamaster and kuangliu.
TEST(ResNet, HasAsManyParametersAsTheUsualModules)
{
    // 464 + 4,672 + 13,952 + 55,552 + 650: conv1, layer1 to layer3, linear, with their batch norms.
    EXPECT_EQ(trainable_parameters(resnet("resnet8")), 75290);
    EXPECT_EQ(trainable_parameters(resnet("resnet20")), 269722);
    EXPECT_EQ(trainable_parameters(resnet("resnet32")), 464154);
    EXPECT_EQ(trainable_parameters(resnet("resnet44")), 658586);
    EXPECT_EQ(trainable_parameters(resnet("resnet56")), 853018);
    const BuildOptions projection{Activation::relu, LayerOrder::conv_norm_act, Shortcut::projection};
    EXPECT_EQ(trainable_parameters(resnet("resnet18", projection)), 11173962);
    EXPECT_EQ(trainable_parameters(resnet("resnet20", projection)),
              269722 + 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64);
    EXPECT_EQ(trainable_parameters(resnet("resnet18")),
              11173962 - (64 * 128 + 128 * 256 + 256 * 512) - 2 * (128 + 256 + 512));
    EXPECT_EQ(trainable_parameters(resnet("resnet20", {}, 100)), 269722 + 90 * 65);
}

TEST(ResNet, NamesItsParametersAsTheUsualModules)
{
    const Network network =
        resnet("resnet18", {Activation::relu, LayerOrder::conv_norm_act, Shortcut::projection});
    std::vector<std::string> names;
    for (const Parameter& parameter : network.parameters)
        names.push_back(parameter.name);
    const auto norm = [](const std::string& name) {
        return std::vector<std::string>{name + ".weight", name + ".bias", name + ".running_mean",
                                        name + ".running_var"};
    };
    std::vector<std::string> wanted{"conv1.weight"};
    const auto append = [&](const std::vector<std::string>& more) {
        wanted.insert(wanted.end(), more.begin(), more.end());
    };
    append(norm("bn1"));
    for (int layer = 1; layer <= 4; ++layer)
    {
        for (int block = 0; block < 2; ++block)
        {
            const std::string prefix = "layer" + std::to_string(layer) + "." + std::to_string(block) + ".";
            append({prefix + "conv1.weight"});
            append(norm(prefix + "bn1"));
            append({prefix + "conv2.weight"});
            append(norm(prefix + "bn2"));
            if (layer == 1 || block > 0) continue;
            append({prefix + "shortcut.0.weight"});
            append(norm(prefix + "shortcut.1"));
        }
    }
    append({"linear.weight", "linear.bias"});
    EXPECT_EQ(names, wanted);
    EXPECT_EQ(injectable_layers(network).size(), 21U);
    EXPECT_EQ(injectable_layers(resnet("resnet20")).size(), 20U);
    EXPECT_EQ(injectable_layers(resnet("resnet56")).size(), 56U);
}

TEST(ResNet, CostsWhatThePaperSays)
{
    const auto macs = [](const Network& network) {
        std::int64_t total = 0;
        for (std::int32_t i = 0; i <= network.graph.output().value(); ++i)
            total += network.graph.macs(NodeId(i));
        return total;
    };
    // conv1, 6 + 1 convolutions at 32×32 of which one has 3 channels, …: 40.6 million for ResNet-20.
    const std::int64_t stage = 32 * 32 * 16 * 16 * 9;
    EXPECT_EQ(macs(resnet("resnet20")), 32 * 32 * 16 * 3 * 9 + 6 * stage + 2 * (stage / 2 + 5 * stage) + 640);
}

std::vector<std::string> node_names(const Graph& graph, const std::string& prefix)
{
    std::vector<std::string> names;
    for (const Node& node : graph.nodes())
    {
        if (node.name.rfind(prefix, 0) == 0) names.push_back(node.name.substr(prefix.size()));
    }
    return names;
}

TEST(ResNet, PutsTheActivationWhereItIsAsked)
{
    using Names = std::vector<std::string>;
    const Graph usual = resnet("resnet20").graph;
    EXPECT_EQ(node_names(usual, "layer1.0."),
              (Names{"conv1", "bn1", "relu1", "conv2", "bn2", "add", "relu2"}));
    EXPECT_EQ(node_names(usual, "layer2.0."), (Names{"conv1", "bn1", "relu1", "conv2", "bn2", "shortcut.rows",
                                                     "shortcut.columns", "shortcut.pad", "add", "relu2"}));
    const Graph inverted =
        resnet("resnet20", {Activation::relu6, LayerOrder::conv_act_norm, Shortcut::projection}).graph;
    EXPECT_EQ(node_names(inverted, "layer1.0."),
              (Names{"conv1", "relu1", "bn1", "conv2", "relu2", "bn2", "add"}));
    EXPECT_EQ(node_names(inverted, "layer2.0."),
              (Names{"conv1", "relu1", "bn1", "conv2", "relu2", "bn2", "shortcut.0", "shortcut.1", "add"}));
    // What each node reads is the one before, except where a block branches and joins.
    const auto input = [](const Graph& graph, const std::string& name, std::size_t which) -> std::string {
        for (const Node& node : graph.nodes())
        {
            if (node.name == name) return graph.node(node.inputs.at(which)).name;
        }
        return "no such node";
    };
    EXPECT_EQ(input(usual, "layer1.0.conv1", 0), "relu1");
    EXPECT_EQ(input(usual, "layer1.0.add", 0), "layer1.0.bn2");
    EXPECT_EQ(input(usual, "layer1.0.add", 1), "relu1");
    EXPECT_EQ(input(usual, "layer2.0.shortcut.rows", 0), "layer1.2.relu2");
    EXPECT_EQ(input(usual, "layer2.0.add", 1), "layer2.0.shortcut.pad");
    EXPECT_EQ(input(inverted, "layer1.0.conv1", 0), "bn1");
    EXPECT_EQ(input(inverted, "bn1", 0), "relu1");
    EXPECT_EQ(input(inverted, "layer2.0.shortcut.0", 0), "layer1.2.add");
    EXPECT_EQ(input(inverted, "layer2.0.add", 1), "layer2.0.shortcut.1");
}

TEST(BuildNetwork, Relu6TakesThePlaceOfEveryRelu)
{
    for (const char* arch : {"lenet5", "resnet20"})
    {
        const Network plain = resnet(arch);
        const Network clipped =
            resnet(arch, {Activation::relu6, LayerOrder::conv_norm_act, Shortcut::option_a});
        ASSERT_EQ(plain.graph.nodes().size(), clipped.graph.nodes().size());
        for (std::size_t i = 0; i < plain.graph.nodes().size(); ++i)
        {
            const Operation& before = plain.graph.nodes()[i].operation;
            const Operation& after = clipped.graph.nodes()[i].operation;
            EXPECT_EQ(std::holds_alternative<ReluOp>(before), std::holds_alternative<Relu6Op>(after));
            EXPECT_FALSE(std::holds_alternative<ReluOp>(after));
        }
        EXPECT_NE(digest(plain), digest(clipped));
    }
}

TEST(BuildNetwork, StartsBatchNormsAsTheIdentity)
{
    const Network network = resnet("resnet20");
    EXPECT_NO_THROW(check_network(network, "resnet20"));
    EXPECT_EQ(network.parameter("layer1.0.bn1.weight").values(), std::vector<float>(16, 1.0F));
    EXPECT_EQ(network.parameter("layer1.0.bn1.bias").values(), std::vector<float>(16, 0.0F));
    EXPECT_EQ(network.parameter("layer1.0.bn1.running_mean").values(), std::vector<float>(16, 0.0F));
    EXPECT_EQ(network.parameter("layer1.0.bn1.running_var").values(), std::vector<float>(16, 1.0F));
    const double bound = 1.0 / std::sqrt(16 * 9.0);
    double largest = 0;
    for (const float value : network.parameter("layer1.0.conv1.weight").values())
        largest = std::max<double>(largest, std::abs(value));
    EXPECT_LE(largest, bound);
    EXPECT_GT(largest, 0.95 * bound);
}

TEST(BuildNetwork, KaimingNormalWeightsHaveTheirDeviation)
{
    BuildOptions options;
    options.initialisation = Initialisation::kaiming_normal;
    const Network normal = resnet("resnet20", options);
    const Network standard = resnet("resnet20");
    for (std::size_t i = 0; i < normal.parameters.size(); ++i)
    {
        const Parameter& parameter = normal.parameters[i];
        if (parameter.shape().size() < 2)
        {
            EXPECT_EQ(parameter.values(), standard.parameters[i].values()) << parameter.name;
            continue;
        }
        const double count = static_cast<double>(parameter.values().size());
        const double fan_in = count / static_cast<double>(parameter.shape()[0]);
        double mean = 0;
        double squares = 0;
        double largest = 0;
        for (const double value : parameter.values())
        {
            mean += value / count;
            squares += value * value / count;
            largest = std::max(largest, std::abs(value));
        }
        // Five standard errors.
        EXPECT_NEAR(mean, 0, 5 * std::sqrt(2 / fan_in / count)) << parameter.name;
        EXPECT_NEAR(squares * fan_in / 2, 1, 5 * std::sqrt(2 / count)) << parameter.name;
        EXPECT_GT(largest, 2 * std::sqrt(2 / fan_in)) << parameter.name << " is not normal";
    }
    EXPECT_EQ(initialisation_from("kaiming_normal"), Initialisation::kaiming_normal);
    EXPECT_EQ(initialisation_from("default"), Initialisation::pytorch);
    EXPECT_THROW(initialisation_from("xavier"), JobError);
}

TEST(BuildNetwork, KnowsItsVariantsByName)
{
    EXPECT_EQ(activation_from("relu6"), Activation::relu6);
    EXPECT_EQ(layer_order_from("conv-act-norm"), LayerOrder::conv_act_norm);
    EXPECT_EQ(shortcut_from("projection"), Shortcut::projection);
    EXPECT_EQ(shortcut_from("option-a"), Shortcut::option_a);
    EXPECT_THROW(activation_from("gelu"), JobError);
    EXPECT_THROW(layer_order_from("norm-conv-act"), JobError);
    EXPECT_THROW(shortcut_from("A"), JobError);
}

// A faulty channel stays one channel through what keeps channels apart, is two where it meets another path,
// and is all of them behind a convolution or a linear layer.
TEST(SuffixMacs, FollowTheFaultyChannel)
{
    Graph graph({2, 8, 8});
    const NodeId conv = graph.add("conv", Conv2dOp{2, 8, 1, 1, 0, 1, false}, {NodeId(0)});
    NodeId at = graph.add("bn", BatchNormOp{8}, {conv});
    at = graph.add("relu6", Relu6Op{}, {at});
    at = graph.add("mean", AvgPool2dOp{2, 2}, {at});
    at = graph.add("maximum", MaxPool2dOp{3, 1, 1}, {at});
    at = graph.add("rows", SliceOp{1, 0, 4, 2}, {at});
    const NodeId narrow = graph.add("pad", PadOp{4, 4, 1, 1, 0, 0}, {at});                  // 16 × 4 × 4
    const NodeId wide = graph.add("wide", Conv2dOp{16, 16, 3, 1, 1, 16, false}, {narrow});  // depthwise
    const NodeId sum = graph.add("sum", AddOp{}, {narrow, wide});
    const NodeId joined = graph.add("joined", ConcatOp{}, {sum, narrow});  // 2 + 1 of 32
    at = graph.add("mix", Conv2dOp{32, 10, 1, 1, 0, 1, false}, {joined});
    at = graph.add("global", GlobalAvgPoolOp{}, {at});
    at = graph.add("flat", FlattenOp{}, {at});
    graph.add("fc", LinearOp{10, 3, true}, {at});
    Network network{"paths", NumberFormat::fp32, graph, 3, {{0.F, 0.F}, {1.F, 1.F}}, {}};
    for (const ParameterSpec& spec : graph.parameters())
        network.parameters.push_back(
            {spec.name, spec.shape, std::vector<float>(static_cast<std::size_t>(elements(spec.shape)))});
    const std::vector<InjectableLayer> layers = injectable_layers(network);
    ASSERT_EQ(layers.size(), 4U);
    const std::int64_t own = 64 * 2;
    const std::int64_t depthwise = 16 * 9;  // one channel
    const std::int64_t mix = 16 * 10 * 3;   // 3 channels that can change
    EXPECT_EQ(layers[0].suffix_macs, own + depthwise + mix + 30);
    EXPECT_EQ(layers[1].suffix_macs, depthwise + 16 * 10 * 1 + 30);
    EXPECT_EQ(layers[2].suffix_macs, 16 * 32 + 3);  // one of 10 channels, one column of fc
    EXPECT_EQ(layers[3].suffix_macs, 10);
}

/// A network with every operation, on 2×6×6 images; parameters are 0.5, running variances 4.
Network every_operation()
{
    Graph graph({2, 6, 6});
    NodeId at = graph.add("conv", Conv2dOp{2, 4, 3, 1, 1, 2, false}, {NodeId(0)});
    at = graph.add("bn", BatchNormOp{4, 1e-3}, {at});
    const NodeId stem = graph.add("relu6", Relu6Op{}, {at});
    at = graph.add("maximum", MaxPool2dOp{3, 2, 1}, {stem});
    const NodeId pooled = graph.add("mean", AvgPool2dOp{2, 1}, {at});
    at = graph.add("rows", SliceOp{1, 0, 6, 3}, {stem});
    at = graph.add("columns", SliceOp{2, 1, 5, 3}, {at});
    at = graph.add("channels", SliceOp{0, 1, 3, 1}, {at});
    const NodeId padded = graph.add("pad", PadOp{1, 1, 0, 0, 0, 0}, {at});
    at = graph.add("sum", AddOp{}, {pooled, padded});
    at = graph.add("concat", ConcatOp{}, {at, pooled, padded});
    at = graph.add("global", GlobalAvgPoolOp{}, {at});
    at = graph.add("flat", FlattenOp{}, {at});
    at = graph.add("fc", LinearOp{12, 3, true}, {at});
    at = graph.add("bn1d", BatchNormOp{3}, {at});
    graph.add("relu", ReluOp{}, {at});
    Network network{"all", NumberFormat::fp32, graph, 3, {{0.F, 0.F}, {1.F, 1.F}}, {}};
    for (const ParameterSpec& spec : graph.parameters())
    {
        const float value = spec.name.find("running_var") != std::string::npos ? 4.0F : 0.5F;
        network.parameters.push_back(
            {spec.name, spec.shape,
             std::vector<float>(static_cast<std::size_t>(elements(spec.shape)), value)});
    }
    return network;
}

TEST(Graph, InfersTheShapeOfEveryOperation)
{
    const Graph graph = every_operation().graph;
    const std::vector<std::pair<std::string, Shape>> wanted{
        {"input", {2, 6, 6}},   {"conv", {4, 6, 6}},    {"bn", {4, 6, 6}},
        {"relu6", {4, 6, 6}},   {"maximum", {4, 3, 3}}, {"mean", {4, 2, 2}},
        {"rows", {4, 2, 6}},    {"columns", {4, 2, 2}}, {"channels", {2, 2, 2}},
        {"pad", {4, 2, 2}},     {"sum", {4, 2, 2}},     {"concat", {12, 2, 2}},
        {"global", {12, 1, 1}}, {"flat", {12}},         {"fc", {3}},
        {"bn1d", {3}},          {"relu", {3}}};
    ASSERT_EQ(graph.nodes().size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i)
    {
        EXPECT_EQ(graph.nodes()[i].name, wanted[i].first);
        EXPECT_EQ(graph.nodes()[i].shape, wanted[i].second) << wanted[i].first;
    }
    EXPECT_EQ(to_json(graph_from_json(to_json(graph))), to_json(graph));
}

TEST(Graph, BatchNormHasParametersInStateDictOrder)
{
    std::vector<std::string> names;
    std::vector<std::string> fixed;
    for (const ParameterSpec& spec : every_operation().graph.parameters())
    {
        names.push_back(spec.name);
        if (!spec.trainable) fixed.push_back(spec.name);
    }
    EXPECT_EQ(names, (std::vector<std::string>{"conv.weight", "bn.weight", "bn.bias", "bn.running_mean",
                                               "bn.running_var", "fc.weight", "fc.bias", "bn1d.weight",
                                               "bn1d.bias", "bn1d.running_mean", "bn1d.running_var"}));
    EXPECT_EQ(fixed, (std::vector<std::string>{"bn.running_mean", "bn.running_var", "bn1d.running_mean",
                                               "bn1d.running_var"}));
}

template<std::size_t... I>
std::vector<Operation> one_of_each(std::index_sequence<I...> /*all*/)
{
    return {Operation(std::variant_alternative_t<I, Operation>{})...};
}

// A newcomer has a name of its own, and its fields are written and read.
TEST(Graph, KnowsEveryOperationByItsName)
{
    std::set<std::string> names;
    for (const Operation& operation : one_of_each(std::make_index_sequence<std::variant_size_v<Operation>>{}))
        EXPECT_TRUE(names.insert(name_of(operation)).second) << name_of(operation);
    std::set<std::string> used;
    for (const Network& network : {network_of_everything(), gated_network()})
    {
        for (const Node& node : network.graph.nodes())
            used.insert(name_of(node.operation));
        const Graph again = graph_from_json(to_json(network.graph));
        EXPECT_EQ(canonical_text(again), canonical_text(network.graph));
    }
    EXPECT_EQ(used, names) << "an operation that the networks of the backends' tests leave out";
}

// Models from before max_pool2d had a padding keep their digest, and are read.
TEST(Graph, WritesThePaddingOfAPoolOnlyWhereThereIsOne)
{
    EXPECT_EQ(to_json(lenet().graph).find(R"("stride":2,"padding")"), std::string::npos);
    const std::string json = to_json(every_operation().graph);
    EXPECT_NE(json.find(R"("op":"max_pool2d","kernel":3,"stride":2,"padding":1)"), std::string::npos);
}

TEST(Graph, RefusesOperationsThatDoNotFit)
{
    Graph graph({4, 8, 8});
    const NodeId image(0);
    const auto refused = [&](const Operation& operation, std::vector<NodeId> inputs) -> std::string {
        try
        {
            Graph(graph).add("x", operation, std::move(inputs));
        }
        catch (const DataError& error)
        {
            return error.what();
        }
        return "accepted";
    };
    const auto expect = [&](const Operation& operation, const std::vector<NodeId>& inputs, const char* text) {
        const std::string message = refused(operation, inputs);
        EXPECT_NE(message.find("node 'x'"), std::string::npos) << message;
        EXPECT_NE(message.find(text), std::string::npos) << message;
    };
    expect(BatchNormOp{3}, {image}, "it takes [3, H, W] or [3]");
    expect(BatchNormOp{4, -1e-5}, {image}, "epsilon");
    expect(BatchNormOp{4, std::numeric_limits<double>::quiet_NaN()}, {image}, "epsilon");
    expect(Relu6Op{}, {image, image}, "2 inputs");
    expect(MaxPool2dOp{3, 2, 2}, {image}, "padding 2");
    expect(MaxPool2dOp{3, 2, -1}, {image}, "padding -1");
    expect(AvgPool2dOp{9, 1}, {image}, "window of 9");
    expect(PadOp{0, 0, -1, 0, 0, 0}, {image}, "-1 zeros");
    expect(PadOp{0, 0, 0, std::numeric_limits<std::int64_t>::max(), 0, 0}, {image}, "zeros");
    expect(SliceOp{3, 0, 1, 1}, {image}, "dimension 3");
    expect(SliceOp{0, 0, 5, 1}, {image}, "0:5:1");
    expect(SliceOp{0, 2, 2, 1}, {image}, "2:2:1");
    expect(SliceOp{0, -1, 2, 1}, {image}, "-1:2:1");
    expect(SliceOp{0, 0, 2, 0}, {image}, "0:2:0");
    expect(ConcatOp{}, {image}, "two or more");
    const NodeId half = graph.add("half", SliceOp{1, 0, 8, 2}, {image});
    expect(ConcatOp{}, {image, half}, "[4, 8, 8] and [4, 4, 8]");
    const NodeId flat = graph.add("flat", FlattenOp{}, {image});
    expect(GlobalAvgPoolOp{}, {flat}, "[C, H, W]");
    expect(SliceOp{0, 0, 1, 1}, {flat}, "[C, H, W]");
    expect(PadOp{}, {flat}, "[C, H, W]");
    expect(ConcatOp{}, {flat, flat}, "[C, H, W]");
}

TEST(Graph, RefusesWhatDoesNotFit)
{
    Graph graph({3, 8, 8});
    EXPECT_THROW(graph.add("c", Conv2dOp{1, 4, 3, 1, 0, 1, true}, {NodeId(0)}), DataError);  // channels
    EXPECT_THROW(graph.add("c", Conv2dOp{3, 4, 9, 1, 0, 1, true}, {NodeId(0)}), DataError);  // kernel > image
    EXPECT_THROW(graph.add("c", Conv2dOp{3, 4, 3, 0, 0, 1, true}, {NodeId(0)}), DataError);  // stride 0
    EXPECT_THROW(graph.add("c", Conv2dOp{3, 4, 3, 1, 0, 2, true}, {NodeId(0)}), DataError);  // groups
    EXPECT_THROW(graph.add("l", LinearOp{192, 10, true}, {NodeId(0)}), DataError);           // not flat
    EXPECT_THROW(graph.add("r", ReluOp{}, {NodeId(7)}), DataError);                          // no such input
    EXPECT_THROW(graph.add("input", ReluOp{}, {NodeId(0)}), DataError);                      // name taken
    const NodeId pooled = graph.add("p", MaxPool2dOp{2, 2}, {NodeId(0)});
    EXPECT_THROW(graph.add("a", AddOp{}, {NodeId(0), pooled}), DataError);  // shapes differ
}

TEST(Graph, JsonErrorsNameTheNode)
{
    const auto message = [](const std::string& json) -> std::string {
        try
        {
            static_cast<void>(graph_from_json(json));
        }
        catch (const DataError& error)
        {
            return error.what();
        }
        return "accepted";
    };
    const std::string head = R"([{"name": "input", "op": "input", "inputs": [], "shape": [1, 4, 4]})";
    EXPECT_NE(message("[").find("JSON"), std::string::npos);
    EXPECT_NE(message("[]").find("no nodes"), std::string::npos);
    EXPECT_NE(
        message(head + R"(, {"name": "x", "op": "fft", "inputs": ["input"], "shape": [1]}])").find("'x'"),
        std::string::npos);
    EXPECT_NE(
        message(head + R"(, {"name": "x", "op": "relu", "inputs": ["y"], "shape": [1, 4, 4]}])").find("'y'"),
        std::string::npos);
    EXPECT_NE(message(head + R"(, {"name": "x", "op": "relu", "inputs": ["input"], "shape": [9]}])")
                  .find("'shape'"),
              std::string::npos);
    EXPECT_NE(message(head + R"(, {"name": "x", "op": "max_pool2d", "inputs": ["input"], "shape": [9]}])")
                  .find("'kernel'"),
              std::string::npos);
}

TEST(CheckNetwork, NamesTheBadParameter)
{
    Network network = lenet();
    EXPECT_NO_THROW(check_network(network, "model"));
    network.parameters[2].set_value(7, std::numeric_limits<float>::quiet_NaN());
    try
    {
        check_network(network, "model");
        FAIL();
    }
    catch (const DataError& error)
    {
        EXPECT_NE(std::string(error.what()).find("conv2.weight"), std::string::npos);
    }
    network = lenet();
    network.parameters[0] = {"conv1.weight", {6, 1, 25}, network.parameters[0].values()};
    EXPECT_THROW(check_network(network, "model"), DataError);
    network = lenet();
    network.num_classes = 11;
    EXPECT_THROW(check_network(network, "model"), DataError);
    network = lenet();
    network.normalisation.std_dev = {0.0F};
    EXPECT_THROW(check_network(network, "model"), DataError);
}

TEST(CheckNetwork, RefusesVariancesThatAreNone)
{
    Network network = every_operation();
    EXPECT_NO_THROW(check_network(network, "model"));
    for (const float variance : {-1e-6F, std::numeric_limits<float>::infinity()})
    {
        network = every_operation();
        network.parameters[4].set_value(2, variance);
        try
        {
            check_network(network, "model");
            FAIL() << variance;
        }
        catch (const DataError& error)
        {
            EXPECT_NE(std::string(error.what()).find("'bn.running_var', element 2"), std::string::npos)
                << error.what();
        }
    }
    network = every_operation();
    network.parameters[4].set_value(2, 0);  // epsilon keeps the quotient finite
    EXPECT_NO_THROW(check_network(network, "model"));
}

TEST(Digest, ChangesWithEveryPartThatMatters)
{
    const std::string original = digest(lenet());
    Network network = lenet();
    network.parameters[5].set_value(0, network.parameters[5].values()[0] + 1);
    EXPECT_NE(digest(network), original);
    network = lenet();
    network.normalisation.mean[0] = 0.25F;
    EXPECT_NE(digest(network), original);
}

TEST(BuildNetwork, RefusesUnknownArchitecturesAndTinyImages)
{
    EXPECT_THROW(build_network("resnet20", NumberFormat::fp32, {784}, 10, {{0.F}, {1.F}}, 1), DataError);
    EXPECT_THROW(build_network("vgg", NumberFormat::fp32, {1, 28, 28}, 10, {{0.F}, {1.F}}, 1), JobError);
    EXPECT_THROW(build_network("lenet5", NumberFormat::fp32, {1, 8, 8}, 10, {{0.F}, {1.F}}, 1), DataError);
}

}  // namespace
}  // namespace flipstorm
