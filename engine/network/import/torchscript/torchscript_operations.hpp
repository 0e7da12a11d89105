#pragma once
// The operations of TorchScript that the graph of a network can have: a function for each, which checks the
// form of a call and adds the nodes that compute its result. Internal to the import; this header brings in
// LibTorch.

#include <optional>

#include "engine/network/import/torchscript/torchscript_call.hpp"
#include "engine/network/import/torchscript/torchscript_graph.hpp"

namespace flipstorm::torchscript
{

/// The result of an operation on tensors of the network; nothing if it is not one the graph can have.
/// \throws DataError, as Call::refuse, if it is, but not in this form.
std::optional<Abstract> apply_operation(GraphBuilder& graph, const Call& call);

// A function for each operation, under which names the table in torchscript_operations.cpp says.

// torchscript_layers.cpp
Abstract convolution(GraphBuilder& graph, const Call& call);
Abstract linear(GraphBuilder& graph, const Call& call);
Abstract addmm(GraphBuilder& graph, const Call& call);
Abstract matmul(GraphBuilder& graph, const Call& call);
Abstract batch_norm(GraphBuilder& graph, const Call& call);

// torchscript_elementwise.cpp
Abstract relu(GraphBuilder& graph, const Call& call);
Abstract relu6(GraphBuilder& graph, const Call& call);
Abstract sigmoid(GraphBuilder& graph, const Call& call);
Abstract silu(GraphBuilder& graph, const Call& call);
Abstract clamp(GraphBuilder& graph, const Call& call);
Abstract hardtanh(GraphBuilder& graph, const Call& call);
Abstract add(GraphBuilder& graph, const Call& call);
Abstract multiply(GraphBuilder& graph, const Call& call);

// torchscript_pools.cpp
Abstract max_pool(GraphBuilder& graph, const Call& call);
Abstract avg_pool(GraphBuilder& graph, const Call& call);
Abstract adaptive_avg_pool(GraphBuilder& graph, const Call& call);
Abstract mean(GraphBuilder& graph, const Call& call);

// torchscript_views.cpp
Abstract slice(GraphBuilder& graph, const Call& call);
Abstract pad(GraphBuilder& graph, const Call& call);
Abstract concat(GraphBuilder& graph, const Call& call);
Abstract flatten(GraphBuilder& graph, const Call& call);
Abstract view(GraphBuilder& graph, const Call& call);
Abstract squeeze(GraphBuilder& graph, const Call& call);
Abstract unsqueeze(GraphBuilder& graph, const Call& call);
Abstract dropout(GraphBuilder& graph, const Call& call);
Abstract alias(GraphBuilder& graph, const Call& call);
Abstract copy(GraphBuilder& graph, const Call& call);
Abstract cast(GraphBuilder& graph, const Call& call);
/// The same values in another shape, sharing memory; a flat one gets a node.
TensorRef reshaped(GraphBuilder& graph, const Call& call, const TensorRef& tensor, Shape shape);

}  // namespace flipstorm::torchscript
