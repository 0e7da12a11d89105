#include "engine/network/graph.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/base/printable_text.hpp"

namespace flipstorm
{
namespace
{

/// Values of a node's output for one image, and parameters of a tensor: far beyond what any network has, and
/// far from what 64 bits and a machine's memory cannot hold.
constexpr std::int64_t kLargestValue = std::int64_t{1} << 28;
constexpr std::int64_t kLargestTensor = std::int64_t{1} << 32;

/// Whether a shape has sizes above 0 and at most so many elements.
bool is_bounded(const Shape& shape, std::int64_t most)
{
    std::int64_t count = 1;
    for (const std::int64_t size : shape)
    {
        if (size <= 0 || size > most / count) return false;
        count *= size;
    }
    return true;
}

}  // namespace

std::int64_t all_elements(const Graph& graph)
{
    std::int64_t count = 0;
    for (const Node& node : graph.nodes())
        count += elements(node.shape);
    return count;
}

std::vector<NodeId> nodes_from(const Graph& graph, NodeId first)
{
    std::vector<NodeId> nodes;
    for (std::int32_t i = first.value(); i <= graph.output().value(); ++i)
        nodes.emplace_back(i);
    return nodes;
}

std::int64_t live_elements(const Graph& graph, NodeId source)
{
    const std::vector<bool> reached = graph.reachable_from(source);
    std::vector<std::size_t> last_use(reached.size(), 0);
    std::vector<bool> alive(reached.size(), false);
    for (std::size_t i = 0; i < reached.size(); ++i)
    {
        if (!reached[i] || i == static_cast<std::size_t>(source.value())) continue;
        for (const NodeId input : graph.nodes()[i].inputs)
        {
            last_use[static_cast<std::size_t>(input.value())] = i;
            // What does not depend on the source is there from the start.
            if (!reached[static_cast<std::size_t>(input.value())])
                alive[static_cast<std::size_t>(input.value())] = true;
        }
    }
    alive[static_cast<std::size_t>(source.value())] = true;
    std::int64_t most = 0;
    for (std::size_t i = static_cast<std::size_t>(source.value()); i < reached.size(); ++i)
    {
        if (!reached[i]) continue;
        alive[i] = true;
        std::int64_t now = 0;
        for (std::size_t k = 0; k < alive.size(); ++k)
        {
            if (alive[k]) now += elements(graph.nodes()[k].shape);
        }
        most = std::max(most, now);
        for (std::size_t k = 0; k < alive.size(); ++k)
        {
            if (alive[k] && k != i && last_use[k] <= i) alive[k] = false;
        }
    }
    return most;
}

Graph::Graph(Shape input_shape)
{
    FS_CHECK(DataError, !input_shape.empty() && is_bounded(input_shape, kLargestValue),
             "an input of shape {}; sizes above 0 and at most {} values are possible", input_shape,
             kLargestValue);
    nodes_.push_back({"input", InputOp{}, {}, std::move(input_shape)});
}

NodeId Graph::add(std::string name, Operation operation, std::vector<NodeId> inputs)
{
    FS_CHECK(DataError, !name.empty(), "node {} has no name", nodes_.size());
    for (std::size_t at = 0; at < name.size();)
    {
        const std::size_t length = utf8_length(name, at);
        FS_CHECK(DataError, length > 0, "node {} is called '{}', which is not UTF-8", nodes_.size(), name);
        at += length;
    }
    for (const Node& other : nodes_)
    {
        FS_CHECK(DataError, other.name != name, "two nodes are called '{}'", name);
    }
    std::vector<const Shape*> shapes;
    for (const NodeId input : inputs)
    {
        FS_CHECK(DataError, input.value() >= 0 && static_cast<std::size_t>(input.value()) < nodes_.size(),
                 "node '{}': its input {} does not come before it", name, input.value());
        shapes.push_back(&node(input).shape);
    }
    Node added{std::move(name), operation, std::move(inputs), {}};
    const NodeCheck check{added.name, shapes};
    added.shape = std::visit([&](const auto& op) { return op.shape(check); }, operation);
    FS_CHECK(DataError, is_bounded(added.shape, kLargestValue),
             "node '{}': its output has shape {} for one image; at most {} values are possible", added.name,
             added.shape, kLargestValue);
    for (const ParameterSpec& parameter : parameters_of(added))
    {
        FS_CHECK(DataError, is_bounded(parameter.shape, kLargestTensor),
                 "node '{}': its parameter '{}' has shape {}; at most {} values are possible", added.name,
                 parameter.name, parameter.shape, kLargestTensor);
    }
    nodes_.push_back(std::move(added));
    return output();
}

std::vector<ParameterSpec> parameters_of(const Node& node)
{
    std::vector<ParameterSpec> specs;
    for (ParameterPart& part : std::visit([](const auto& op) { return op.parameters(); }, node.operation))
        specs.push_back({node.name + part.suffix, std::move(part.shape), part.trainable});
    return specs;
}

std::vector<ParameterSpec> Graph::parameters() const
{
    std::vector<ParameterSpec> specs;
    for (const Node& entry : nodes_)
    {
        for (ParameterSpec& spec : parameters_of(entry))
            specs.push_back(std::move(spec));
    }
    return specs;
}

std::vector<bool> Graph::reachable_from(NodeId source) const
{
    std::vector<bool> reached(nodes_.size(), false);
    reached.at(static_cast<std::size_t>(source.value())) = true;
    for (std::size_t i = 0; i < nodes_.size(); ++i)
    {
        for (const NodeId input : nodes_[i].inputs)
        {
            if (reached[static_cast<std::size_t>(input.value())]) reached[i] = true;
        }
    }
    return reached;
}

std::int64_t Graph::macs(NodeId id) const
{
    const Node& entry = node(id);
    return std::visit([&](const auto& op) { return op.macs(entry.shape); }, entry.operation);
}

std::vector<std::vector<NodeId>> consumers_of(const Graph& graph)
{
    std::vector<std::vector<NodeId>> consumers(graph.nodes().size());
    for (std::size_t i = 0; i < graph.nodes().size(); ++i)
    {
        for (const NodeId input : graph.nodes()[i].inputs)
            consumers[index(input)].emplace_back(static_cast<std::int32_t>(i));
    }
    return consumers;
}

}  // namespace flipstorm
