#pragma once
// The network graph: a static, acyclic graph of layers. One representation serves training, injection,
// files and import. No LibTorch here; executor.hpp evaluates it.

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/base/ids.hpp"

namespace flipstorm
{

/// Position of a node in its graph; inputs always come before their consumers.
using NodeId = StrongId<struct NodeTag, std::int32_t>;

/// Place of what a node has in an array by node id.
constexpr std::size_t index(NodeId id)
{
    return static_cast<std::size_t>(id.value());
}

/// Shape of a value for one image: [C, H, W] or [features].
using Shape = std::vector<std::int64_t>;

/// The image batch.
struct InputOp
{};

/// 2-D convolution, square geometry, zero padding; parameters NAME.weight [out, in / groups, k, k], NAME.bias
/// [out].
struct Conv2dOp
{
    std::int64_t in_channels = 0;
    std::int64_t out_channels = 0;
    std::int64_t kernel = 1;
    std::int64_t stride = 1;
    std::int64_t padding = 0;
    std::int64_t groups = 1;
    bool bias = true;
};

/// Fully connected layer; parameters NAME.weight [out, in], NAME.bias [out].
struct LinearOp
{
    std::int64_t in_features = 0;
    std::int64_t out_features = 0;
    bool bias = true;
};

/// Batch normalisation with its running statistics; parameters NAME.weight, NAME.bias, NAME.running_mean,
/// NAME.running_var [channels], the last two not trainable. Input [C, H, W] or [features].
struct BatchNormOp
{
    std::int64_t channels = 0;
    double epsilon = 1e-5;
};

/// max(x, 0)
struct ReluOp
{};

/// min(max(x, 0), 6)
struct Relu6Op
{};

/// Maximum over square windows; padding counts as minus infinity.
struct MaxPool2dOp
{
    std::int64_t kernel = 2;
    std::int64_t stride = 2;
    std::int64_t padding = 0;
};

/// Mean over square windows, no padding.
struct AvgPool2dOp
{
    std::int64_t kernel = 2;
    std::int64_t stride = 2;
};

/// Mean over all positions: [C, H, W] → [C, 1, 1].
struct GlobalAvgPoolOp
{};

/// Sum of two values of one shape.
struct AddOp
{};

/// Zeros added around: channels before and behind, rows above and below, columns left and right.
struct PadOp
{
    std::int64_t channels_before = 0;
    std::int64_t channels_behind = 0;
    std::int64_t top = 0;
    std::int64_t bottom = 0;
    std::int64_t left = 0;
    std::int64_t right = 0;
};

/// Every step-th element from start up to, not including, end, of one dimension (0: channels, 1: rows,
/// 2: columns).
struct SliceOp
{
    std::int64_t dimension = 0;
    std::int64_t start = 0;
    std::int64_t end = 0;
    std::int64_t step = 1;
};

/// Values of equal height and width, one after another along the channels; two or more inputs.
struct ConcatOp
{};

/// [C, H, W] → [C·H·W]
struct FlattenOp
{};

using Operation = std::variant<InputOp, Conv2dOp, LinearOp, BatchNormOp, ReluOp, Relu6Op, MaxPool2dOp,
                               AvgPool2dOp, GlobalAvgPoolOp, AddOp, PadOp, SliceOp, ConcatOp, FlattenOp>;

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

/// Elements of a shape.
[[nodiscard]] std::int64_t elements(const Shape& shape);

/// A node and all that come after it, in order; none behind the output.
[[nodiscard]] std::vector<NodeId> nodes_from(const Graph& graph, NodeId first);

/// The graph as JSON, an array of nodes; see hdf5_schema/SCHEMA.md.
[[nodiscard]] std::string to_json(const Graph& graph);

/// Graph from its JSON, whoever wrote it. \throws DataError naming the node and what is wrong with it.
[[nodiscard]] Graph graph_from_json(const std::string& json);

}  // namespace flipstorm
