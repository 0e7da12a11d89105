#pragma once
// Collects the graph of a network while its TorchScript module is followed: nodes, their names, the values of
// their parameters. Internal to the import; this header brings in LibTorch.

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/network/graph.hpp"
#include "engine/network/import/torchscript/torchscript.hpp"
#include "engine/network/import/torchscript/torchscript_call.hpp"

namespace flipstorm::torchscript
{

/// The graph so far. What cannot be added is refused, as Call::refuse.
class GraphBuilder
{
  public:
    /// A parameter of a node: its suffix, and its value, or what it is filled with.
    struct Part
    {
        const char* suffix;
        Known value;
        float fill = 0;
    };

    /// \param reserved  names that nodes without parameters must not take
    GraphBuilder(const Shape& input_shape, std::set<std::string> reserved);

    [[nodiscard]] TensorRef input() const { return input_; }
    [[nodiscard]] const Shape& shape(NodeId node) const { return graph_.node(node).shape; }

    /// The node that computes a tensor, in the tensor's shape; makes one where there is none yet.
    NodeId node_of(const Call& call, const TensorRef& tensor);
    /// The node that computes a tensor, in whatever shape.
    NodeId computed(const Call& call, const TensorRef& tensor);

    /// Add a node without parameters, called after its module and `word`.
    TensorRef add_node(const Call& call, const char* word, Operation operation, std::vector<NodeId> inputs);
    /// Add a node with parameters, called as the module that has `parts[main]`.
    TensorRef add_layer(const Call& call, const char* word, Operation operation, NodeId input,
                        std::vector<Part> parts, std::size_t main = 0);
    /// Add a linear layer. \param weight  [out, in]
    TensorRef add_linear(const Call& call, NodeId input, const Known& weight, const Known& bias);

    /// The graph with all that the output needs, and no more, and the values of its parameters.
    [[nodiscard]] ImportedNetwork finish(NodeId output) const;

  private:
    TensorRef add_to_graph(const Call& call, const std::string& name, Operation operation,
                           std::vector<NodeId> inputs);
    [[nodiscard]] std::string unique_name(const Call& call, const char* word) const;

    Graph graph_;
    TensorRef input_;
    std::set<std::string> reserved_;
    std::map<std::string, std::vector<Part>> parameters_;  ///< by node
    std::map<const void*, std::string> weights_;           ///< node that has this memory as its weight
};

}  // namespace flipstorm::torchscript
