// Operations element by element: activations, sums and products of two values.

#include "engine/network/import/torchscript/torchscript_operations.hpp"

namespace flipstorm::torchscript
{

Abstract relu(GraphBuilder& graph, const Call& call)
{
    return graph.add_node(call, "relu", ReluOp{}, {graph.node_of(call, call.tensor("self"))});
}

Abstract relu6(GraphBuilder& graph, const Call& call)
{
    return graph.add_node(call, "relu6", Relu6Op{}, {graph.node_of(call, call.tensor("self"))});
}

Abstract sigmoid(GraphBuilder& graph, const Call& call)
{
    return graph.add_node(call, "sigmoid", SigmoidOp{}, {graph.node_of(call, call.tensor("self"))});
}

Abstract silu(GraphBuilder& graph, const Call& call)
{
    return graph.add_node(call, "silu", SiluOp{}, {graph.node_of(call, call.tensor("self"))});
}

Abstract clamp(GraphBuilder& graph, const Call& call)
{
    call.expect(call.has("min") && call.number("min") == 0, "min", "it must be 0");
    if (call.kind().find("clamp_min") != std::string::npos || !call.has("max")) return relu(graph, call);
    call.expect(call.number("max") == 6, "max", "it must be 6, or there must be none");
    return relu6(graph, call);
}

Abstract hardtanh(GraphBuilder& graph, const Call& call)
{
    call.expect(call.number("min_val") == 0, "min_val", "it must be 0");
    call.expect(call.number("max_val") == 6, "max_val", "it must be 6");
    return relu6(graph, call);
}

Abstract add(GraphBuilder& graph, const Call& call)
{
    call.expect(call.number("alpha") == 1, "alpha", "it must be 1");
    const auto* left = std::get_if<TensorRef>(&call.at("self"));
    const auto* right = std::get_if<TensorRef>(&call.at("other"));
    if (left != nullptr && right != nullptr)
    {
        const NodeId a = graph.node_of(call, call.tensor("self"));
        const NodeId b = graph.node_of(call, call.tensor("other"));
        return graph.add_node(call, "add", AddOp{}, {a, b});
    }
    // The bias of a product that was written by hand.
    const char* constant = left == nullptr ? "self" : "other";
    const TensorRef tensor = call.tensor(left == nullptr ? "other" : "self");
    call.expect(tensor->product.has_value(), constant, "only two values of the network can be added");
    return graph.add_linear(call, tensor->product->input, tensor->product->weight, call.stored(constant));
}

Abstract multiply(GraphBuilder& graph, const Call& call)
{
    const NodeId a = graph.node_of(call, call.tensor("self"));
    const NodeId b = graph.node_of(call, call.tensor("other"));
    return graph.add_node(call, "multiply", MulOp{}, {a, b});
}

}  // namespace flipstorm::torchscript
