#include "engine/compute/cpu/native_network.hpp"

#include "engine/base/error.hpp"
#include "engine/compute/cpu/operations.hpp"

namespace flipstorm
{

std::string native_obstacle(const Graph& graph)
{
    return flat_obstacle(graph);
}

NativeNetwork native_network(const Network& network, const Kernels& kernels)
{
    const std::string obstacle = native_obstacle(network.graph);
    FS_REQUIRE(obstacle.empty(), "{}", obstacle);
    NativeNetwork native{network.graph, {}};
    for (const ValueForm& form : value_forms(network.graph))
        native.nodes.push_back({{form}, {}, {}, {}, {}});
    for (std::size_t i = 1; i < native.nodes.size(); ++i)
    {
        const Node& node = native.graph.nodes()[i];
        const PrepareContext context{network, node, native.form(node.inputs[0]), kernels};
        std::visit([&](const auto& op) { prepare_on_cpu(op, context, native.nodes[i]); }, node.operation);
    }
    return native;
}

std::vector<float> padded_values(const std::vector<float>& values)
{
    std::vector<float> result = values;
    result.resize(static_cast<std::size_t>(padded(static_cast<std::int64_t>(values.size()))), 0.0F);
    return result;
}

}  // namespace flipstorm
