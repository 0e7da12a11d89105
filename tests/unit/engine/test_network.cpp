#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/base/error.hpp"
#include "engine/network/builders.hpp"

namespace flipstorm
{
namespace
{

Network lenet()
{
    return build_network("lenet5", NumberFormat::fp32, {1, 28, 28}, 10, {{0.3F}, {0.3F}}, 1);
}

TEST(Lenet5, Has61706Parameters)
{
    std::int64_t total = 0;
    for (const Parameter& parameter : lenet().parameters)
        total += elements(parameter.shape);
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
    // conv2: one of 16 channels of 10×10 outputs × 150, then the linear layers.
    EXPECT_EQ(layers[1].suffix_macs, 10 * 10 * 150 + 48000 + 10080 + 840);
    EXPECT_EQ(layers[4].suffix_macs, 84);
}

TEST(Lenet5, StartsAsPyTorchDoes)
{
    const Network network = lenet();
    const Parameter& weight = network.parameter("fc1.weight");
    const double bound = 1.0 / std::sqrt(400.0);
    double squares = 0;
    for (const float value : weight.values)
    {
        ASSERT_LE(std::abs(value), bound);
        squares += static_cast<double>(value) * value;
    }
    EXPECT_NEAR(squares / static_cast<double>(weight.values.size()), bound * bound / 3, bound * bound * 0.01);
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
    network.parameters[2].values[7] = std::numeric_limits<float>::quiet_NaN();
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
    network.parameters[0].shape = {6, 1, 25};
    EXPECT_THROW(check_network(network, "model"), DataError);
    network = lenet();
    network.num_classes = 11;
    EXPECT_THROW(check_network(network, "model"), DataError);
    network = lenet();
    network.normalisation.std_dev = {0.0F};
    EXPECT_THROW(check_network(network, "model"), DataError);
}

TEST(Digest, ChangesWithEveryPartThatMatters)
{
    const std::string original = digest(lenet());
    Network network = lenet();
    network.parameters[5].values[0] += 1;
    EXPECT_NE(digest(network), original);
    network = lenet();
    network.normalisation.mean[0] = 0.25F;
    EXPECT_NE(digest(network), original);
}

TEST(BuildNetwork, RefusesUnknownArchitecturesAndTinyImages)
{
    EXPECT_THROW(build_network("vgg", NumberFormat::fp32, {1, 28, 28}, 10, {{0.F}, {1.F}}, 1), JobError);
    EXPECT_THROW(build_network("lenet5", NumberFormat::fp32, {1, 8, 8}, 10, {{0.F}, {1.F}}, 1), DataError);
}

}  // namespace
}  // namespace flipstorm
