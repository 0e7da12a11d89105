#pragma once
// The network graph: a static, acyclic graph of layers. One representation serves training, injection,
// files and import. No LibTorch here; executor.hpp evaluates it.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/ids.hpp"
#include "engine/network/operation.hpp"

namespace flipstorm
{

/// Position of a node in its graph; inputs always come before their consumers.
using NodeId = StrongId<struct NodeTag, std::int32_t>;

/// Place of what a node has in an array by node id.
constexpr std::size_t index(NodeId id)
{
    return static_cast<std::size_t>(id.value());
}

/// One layer of the graph.
struct Node
{
    std::string name;  ///< unique; prefix of its parameters' state-dict names
    Operation operation;
    std::vector<NodeId> inputs;
    Shape shape;  ///< of the output, for one image
};

/// Name and shape of a parameter tensor that a graph needs.
struct ParameterSpec
{
    std::string name;
    Shape shape;
    bool trainable = true;  ///< false: not touched by the optimiser
};

/// Parameters of one node, in state-dict order.
[[nodiscard]] std::vector<ParameterSpec> parameters_of(const Node& node);

/**
 * A static graph with one input and one output.
 *
 * Built by adding nodes in topological order; every node is checked and its shape inferred when it is added.
 */
class Graph
{
  public:
    /// A graph whose node 0 is the image batch, called "input".
    explicit Graph(Shape input_shape);

    /**
     * Add a node and return its id; it becomes the output.
     * \throws DataError, naming the node: its name is taken, no such input, shapes unfit or too large
     */
    NodeId add(std::string name, Operation operation, std::vector<NodeId> inputs);

    [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
    [[nodiscard]] const Node& node(NodeId id) const { return nodes_.at(index(id)); }
    [[nodiscard]] NodeId output() const { return NodeId(static_cast<std::int32_t>(nodes_.size()) - 1); }
    [[nodiscard]] const Shape& input_shape() const { return nodes_.front().shape; }

    /// Parameters in state-dict order.
    [[nodiscard]] std::vector<ParameterSpec> parameters() const;

    /// Whether each node's value depends on the value of `source` (itself included). [nodes]
    [[nodiscard]] std::vector<bool> reachable_from(NodeId source) const;

    /// Multiply-accumulate operations of a node, for one image.
    [[nodiscard]] std::int64_t macs(NodeId id) const;

  private:
    std::vector<Node> nodes_;
};

/**
 * Elements, for one image, of the values that are alive at the same time while everything behind `source` is
 * computed in order: the most that is needed at any node, its inputs and output included.
 */
[[nodiscard]] std::int64_t live_elements(const Graph& graph, NodeId source);

/// Elements, for one image, of the values of all nodes.
[[nodiscard]] std::int64_t all_elements(const Graph& graph);

/// A node and all that come after it, in order; none behind the output.
[[nodiscard]] std::vector<NodeId> nodes_from(const Graph& graph, NodeId first);

/// Nodes that read each node's value. [nodes]
[[nodiscard]] std::vector<std::vector<NodeId>> consumers_of(const Graph& graph);

}  // namespace flipstorm
