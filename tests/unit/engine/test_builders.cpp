// The built-in architectures: what they are made of, and how they start.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <variant>
#include <vector>

#include "built_networks.hpp"
#include "engine/base/error.hpp"
#include "engine/network/builders.hpp"

namespace flipstorm
{
namespace
{

using test::lenet;
using test::resnet;

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

TEST(BuildNetwork, RefusesUnknownArchitecturesAndTinyImages)
{
    EXPECT_THROW(build_network("resnet20", {784}, 10, {{0.F}, {1.F}}, 1), DataError);
    EXPECT_THROW(build_network("vgg", {1, 28, 28}, 10, {{0.F}, {1.F}}, 1), JobError);
    EXPECT_THROW(build_network("lenet5", {1, 8, 8}, 10, {{0.F}, {1.F}}, 1), DataError);
}

}  // namespace
}  // namespace flipstorm
