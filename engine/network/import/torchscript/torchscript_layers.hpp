#pragma once
// Makes graph nodes of TorchScript's tensor operations. Internal to the import; this header brings in
// LibTorch.

#include <ATen/core/Tensor.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/network/graph.hpp"
#include "engine/network/import/torchscript/torchscript.hpp"
#include "engine/network/import/torchscript/torchscript_call.hpp"

namespace flipstorm::torchscript
{

/// Collects the nodes of a network while its module is followed.
class LayerBuilder
{
  public:
    /// \param reserved  names that nodes without parameters must not take
    LayerBuilder(const Shape& input_shape, std::set<std::string> reserved);

    [[nodiscard]] TensorRef input() const { return input_; }

    /// The result of an operation on tensors of the network; nothing if it is not one the graph can have.
    /// \throws DataError, as Call::refuse, if it is, but not in this form.
    std::optional<Abstract> apply(const Call& call);

    /// The graph with all that the output needs, and no more, and the values of its parameters.
    [[nodiscard]] ImportedNetwork finish(NodeId output) const;

    /// The node that computes a tensor, in the tensor's shape; makes one where there is none yet.
    NodeId node_of(const Call& call, const TensorRef& tensor);

  private:
    using Handler = Abstract (LayerBuilder::*)(const Call&);
    static const std::map<std::string, Handler>& handlers();

    Abstract convolution(const Call& call);
    Abstract linear(const Call& call);
    Abstract addmm(const Call& call);
    Abstract matmul(const Call& call);
    Abstract batch_norm(const Call& call);
    Abstract relu(const Call& call);
    Abstract relu6(const Call& call);
    Abstract sigmoid(const Call& call);
    Abstract silu(const Call& call);
    Abstract multiply(const Call& call);
    Abstract clamp(const Call& call);
    Abstract hardtanh(const Call& call);
    Abstract max_pool(const Call& call);
    Abstract avg_pool(const Call& call);
    Abstract adaptive_avg_pool(const Call& call);
    Abstract mean(const Call& call);
    Abstract add(const Call& call);
    Abstract pad(const Call& call);
    Abstract slice(const Call& call);
    Abstract concat(const Call& call);
    Abstract flatten(const Call& call);
    Abstract view(const Call& call);
    Abstract squeeze(const Call& call);
    Abstract unsqueeze(const Call& call);
    Abstract dropout(const Call& call);
    Abstract alias(const Call& call);
    Abstract copy(const Call& call);
    Abstract cast(const Call& call);

    /// A parameter of a node: its suffix, and its value, or what it is filled with.
    struct Part
    {
        const char* suffix;
        Known value;
        float fill = 0;
    };

    /// Add a node without parameters, called after its module and `word`.
    TensorRef add_node(const Call& call, const char* word, Operation operation, std::vector<NodeId> inputs);
    /// Add a node with parameters, called as the module that has `parts[main]`.
    TensorRef add_layer(const Call& call, const char* word, Operation operation, NodeId input,
                        std::vector<Part> parts, std::size_t main = 0);
    TensorRef add_to_graph(const Call& call, const std::string& name, Operation operation,
                           std::vector<NodeId> inputs);
    TensorRef add_linear(const Call& call, NodeId input, const Known& weight, const Known& bias);
    /// The same values in another shape, sharing memory; a flat one gets a node.
    TensorRef reshaped(const Call& call, const TensorRef& tensor, Shape shape);
    TensorRef global_pool(const Call& call, NodeId node);
    /// The node that computes a tensor, in whatever shape.
    NodeId computed(const Call& call, const TensorRef& tensor);
    [[nodiscard]] const Shape& image_shape(const Call& call, const TensorRef& tensor) const;
    [[nodiscard]] std::string unique_name(const Call& call, const char* word) const;
    [[nodiscard]] Known stored(const Call& call, const char* argument) const;
    [[nodiscard]] Known stored_or_none(const Call& call, const char* argument) const;

    Graph graph_;
    TensorRef input_;
    std::set<std::string> reserved_;
    std::map<std::string, std::vector<Part>> parameters_;  ///< by node
    std::map<const void*, std::string> weights_;           ///< node that has this memory as its weight
};

}  // namespace flipstorm::torchscript
