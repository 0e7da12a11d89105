#include "engine/network/builders.hpp"

#include <cmath>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"

namespace flipstorm
{
namespace
{

Graph lenet5(const Shape& input_shape, std::int32_t num_classes)
{
    FS_CHECK(DataError, input_shape.size() == 3, "LeNet-5 takes images of [C, H, W]");
    Graph graph(input_shape);
    NodeId at = graph.add("conv1", Conv2dOp{input_shape[0], 6, 5, 1, 2, 1, true}, {graph.output()});
    at = graph.add("relu1", ReluOp{}, {at});
    at = graph.add("pool1", MaxPool2dOp{2, 2}, {at});
    at = graph.add("conv2", Conv2dOp{6, 16, 5, 1, 0, 1, true}, {at});
    at = graph.add("relu2", ReluOp{}, {at});
    at = graph.add("pool2", MaxPool2dOp{2, 2}, {at});
    at = graph.add("flatten", FlattenOp{}, {at});
    const std::int64_t features = elements(graph.node(at).shape);
    at = graph.add("fc1", LinearOp{features, 120, true}, {at});
    at = graph.add("relu3", ReluOp{}, {at});
    at = graph.add("fc2", LinearOp{120, 84, true}, {at});
    at = graph.add("relu4", ReluOp{}, {at});
    graph.add("fc3", LinearOp{84, num_classes, true}, {at});
    return graph;
}

/// Uniform on ±1/√fan_in for a layer's weight and bias alike, as torch.nn.Conv2d and torch.nn.Linear do.
std::vector<Parameter> initial_parameters(const Graph& graph, std::uint64_t seed)
{
    std::vector<Parameter> parameters;
    double bound = 0;
    for (const ParameterSpec& spec : graph.parameters())
    {
        const bool is_weight = spec.shape.size() > 1;
        if (is_weight) bound = 1.0 / std::sqrt(static_cast<double>(elements(spec.shape) / spec.shape[0]));
        RandomStream random(seed, RandomPurpose::initialise, parameters.size());
        Parameter parameter{spec.name, spec.shape, {}};
        parameter.values.resize(static_cast<std::size_t>(elements(spec.shape)));
        for (float& value : parameter.values)
        {
            value = static_cast<float>(bound * (2.0 * random.uniform() - 1.0));
        }
        parameters.push_back(std::move(parameter));
    }
    return parameters;
}

}  // namespace

Network build_network(const std::string& arch, NumberFormat format, const Shape& input_shape,
                      std::int32_t num_classes, const Normalisation& normalisation, std::uint64_t seed)
{
    FS_CHECK(JobError, arch == "lenet5", "model.arch: '{}' is not known; this build has: lenet5", arch);
    Graph graph = lenet5(input_shape, num_classes);
    std::vector<Parameter> parameters = initial_parameters(graph, seed);
    return {arch, format, std::move(graph), num_classes, normalisation, std::move(parameters)};
}

}  // namespace flipstorm
