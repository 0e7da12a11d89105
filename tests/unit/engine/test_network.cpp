// Graphs and networks: shapes, costs, JSON, digests, and what is refused.

#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "built_networks.hpp"
#include "engine/base/error.hpp"
#include "engine/network/graph_json.hpp"
#include "sample_networks.hpp"

namespace flipstorm
{
namespace
{

using test::lenet;
using test::resnet;

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

}  // namespace
}  // namespace flipstorm
