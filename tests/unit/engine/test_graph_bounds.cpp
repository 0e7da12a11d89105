// Graphs of hostile files: nothing in one may end the process or ask for more memory than any network needs.

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "engine/base/error.hpp"
#include "engine/network/builders.hpp"
#include "engine/network/graph.hpp"
#include "engine/network/graph_json.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{
namespace
{

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

template<class Work>
std::string problem_of(Work&& work)
{
    try
    {
        work();
    }
    catch (const DataError& error)
    {
        return error.what();
    }
    return "accepted";
}

std::string problem_of_json(const std::string& json)
{
    return problem_of([&] { static_cast<void>(graph_from_json(json)); });
}

TEST(GraphBounds, BracketsAreNotFollowedDown)
{
    const std::string deep(1000000, '[');
    EXPECT_NE(problem_of_json(deep).find("nested more than 16 deep"), std::string::npos)
        << problem_of_json(deep);
    std::string objects;
    for (int i = 0; i < 100000; ++i)
        objects += R"({"a":)";
    EXPECT_NE(problem_of_json(objects).find("nested more than"), std::string::npos);
}

TEST(GraphBounds, BracketsWithinNamesAreNoNesting)
{
    const std::string name = std::string(40, '[') + R"(\"{{{{{{{{{{{{{{{{{{\\)";
    EXPECT_EQ(problem_of_json(R"([{"name": "input", "op": "input", "inputs": [], "shape": [1, 4, 4]},)"
                              R"({"name": ")" +
                              name + R"(", "op": "relu", "inputs": ["input"], "shape": [1, 4, 4]}])"),
              "accepted");
}

TEST(GraphBounds, NodesAreCounted)
{
    std::string json = "[0";
    for (int i = 0; i < 20000; ++i)
        json += ",0";
    EXPECT_NE(problem_of_json(json + "]").find("20001 nodes"), std::string::npos);
}

TEST(GraphBounds, WrongTypesAreRefused)
{
    const std::string head = R"([{"name": "input", "op": "input", "inputs": [], "shape": [1, 4, 4]})";
    for (
        const char* node :
        {R"({"name": "x", "op": "relu", "inputs": "input", "shape": [1, 4, 4]})",
         R"({"name": "x", "op": "relu", "inputs": {"a": "input"}, "shape": [1, 4, 4]})",
         R"({"name": "x", "op": "relu", "inputs": [1], "shape": [1, 4, 4]})",
         R"({"name": "x", "op": "flatten", "inputs": ["input"], "shape": 16})",
         R"({"name": "x", "op": "avg_pool2d", "inputs": ["input"], "shape": [1, 2, 2], "kernel": 2.5, "stride": 2})",
         R"({"name": "x", "op": "avg_pool2d", "inputs": ["input"], "shape": [1, 2, 2], "kernel": "2", "stride": 2})"})
    {
        const std::string problem = problem_of_json(head + ", " + node + "]");
        EXPECT_NE(problem.find("node 'x'"), std::string::npos) << node << ": " << problem;
    }
    EXPECT_NE(
        problem_of_json(R"([{"name": "input", "op": "input", "inputs": [], "shape": [1e999]}])").find("JSON"),
        std::string::npos);
    EXPECT_NE(problem_of([] {
                  Graph({1, 4, 4}).add("caf\xe9", ReluOp{}, {NodeId(0)});
              }).find("not UTF-8"),
              std::string::npos);
}

TEST(GraphBounds, StridesAndStepsAreBounded)
{
    constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
    for (const Operation& operation :
         {Operation(SliceOp{1, 1, 2, kHuge}), Operation(Conv2dOp{1, 1, 3, kHuge, 0, 1, false}),
          Operation(MaxPool2dOp{2, kHuge}), Operation(AvgPool2dOp{2, kHuge}),
          Operation(Conv2dOp{1, 1, 3, 1, 0, 1, false, kHuge})})
    {
        EXPECT_NE(problem_of([&] {
                      Graph({1, 4, 4}).add("x", operation, {NodeId(0)});
                  }).find("node 'x'"),
                  std::string::npos)
            << name_of(operation);
    }
}

TEST(GraphBounds, ValuesOfAnImageAreBounded)
{
    EXPECT_NE(problem_of([] {
                  Graph({1 << 20, 1 << 20, 1 << 20});
              }).find("an input of shape"),
              std::string::npos);
    EXPECT_NE(problem_of([] { Graph({3, -4, -4}); }).find("an input of shape"), std::string::npos);
    EXPECT_NE(problem_of([] { Graph({kMost, kMost}); }).find("an input of shape"), std::string::npos);
    const auto refused = [](const Operation& operation) {
        return problem_of([&] { Graph({1, 28, 28}).add("x", operation, {NodeId(0)}); });
    };
    constexpr std::int64_t kSide = std::int64_t{1} << 20;
    EXPECT_NE(refused(PadOp{0, 0, kSide, kSide, kSide, kSide}).find("node 'x': its output has shape"),
              std::string::npos);
    EXPECT_NE(refused(Conv2dOp{1, kMost, 3, 1, 1, 1, true}).find("node 'x': its output has shape"),
              std::string::npos);
    EXPECT_NE(refused(Conv2dOp{1, 8, 5, 1, kSide, 1, true}).find("node 'x': its output has shape"),
              std::string::npos);
    EXPECT_EQ(refused(PadOp{0, 0, 1000, 1000, 1000, 1000}), "accepted");
}

TEST(GraphBounds, ParametersAreBounded)
{
    Graph graph({1, 10000, 10000});
    const NodeId flat = graph.add("flat", FlattenOp{}, {NodeId(0)});
    const std::string problem = problem_of([&] {
        graph.add("fc", LinearOp{100000000, 1000000, true}, {flat});
    });
    EXPECT_NE(problem.find("its parameter 'fc.weight' has shape [1000000, 100000000]"), std::string::npos)
        << problem;
}

TEST(GraphBounds, NormalisationIsFinite)
{
    for (const float std_dev :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), -1.0F, 0.0F})
    {
        Network network = build_network("lenet5", {1, 28, 28}, 10, {{0.3F}, {0.4F}}, 1);
        network.normalisation.std_dev = {std_dev};
        const std::string problem = problem_of([&] { check_network(network, "model.h5"); });
        EXPECT_NE(problem.find("model.h5: mean 0.3 and std"), std::string::npos) << problem;
    }
}

}  // namespace
}  // namespace flipstorm
