#include "engine/compute/torch/libtorch_tile.hpp"

#include <utility>

#include "engine/compute/torch/golden_pass.hpp"

namespace flipstorm
{

LayerGeometry::LayerGeometry(const Graph& graph, const InjectableLayer& layer)
    : filter(static_cast<std::int64_t>(layer.weights) / layer.out_channels), outputs(layer.out_channels)
{
    const Node& node = graph.node(layer.node);
    if (const auto* op = std::get_if<Conv2dOp>(&node.operation))
    {
        conv = *op;
        pixels = node.shape[1] * node.shape[2];
    }
}

namespace
{

/// What the first step of a fault needs: its inputs, and how far a weight may move.
void prepare_layer(LibtorchTile& prepared, const LayerGeometry& geometry, const torch::Tensor& input,
                   const std::vector<torch::Tensor>& gradients, bool lengths)
{
    const bool screened = !gradients.empty();
    if (!geometry.conv)
    {
        prepared.input = input.contiguous();
        if (screened) prepared.moves = torch::stack(gradients, 1);
        return;
    }
    const Conv2dOp& op = *geometry.conv;
    prepared.input = padded_by(input, op);
    const std::int64_t images = input.size(0);
    const bool all = screened && geometry.moves_of_all();
    torch::Tensor by_group;  // [tile · groups, rivals · outputs of the group, pixels]
    if (screened)
    {
        const torch::Tensor stacked = torch::stack(gradients, 1).flatten(3).contiguous();
        if (all)
        {
            by_group = stacked.view({images, -1, op.groups, op.out_channels / op.groups, geometry.pixels})
                           .transpose(1, 2)
                           .reshape({images * op.groups, -1, geometry.pixels});
        }
        else
            prepared.layer_gradients = stacked;
    }
    const torch::Tensor taps = windows(prepared.input, op);
    std::vector<torch::Tensor> largest;
    std::vector<torch::Tensor> length;
    std::vector<torch::Tensor> moves;
    for (std::int64_t tap = 0; tap < op.kernel * op.kernel; ++tap)
    {
        const torch::Tensor met = taps.select(2, tap / op.kernel)
                                      .select(2, tap % op.kernel)
                                      .reshape({images * op.groups, -1, geometry.pixels});
        largest.push_back(met.abs().amax(2).view({images, op.in_channels}));
        if (lengths) length.push_back(met.norm(2, 2).view({images, op.in_channels}));
        if (!all) continue;
        moves.push_back(
            torch::bmm(by_group, met.transpose(1, 2))
                .view({images, op.groups, -1, op.out_channels / op.groups, op.in_channels / op.groups})
                .transpose(1, 2)
                .flatten(2));
    }
    prepared.largest = torch::stack(largest, 2).flatten(1);
    if (!length.empty()) prepared.length = torch::stack(length, 2).flatten(1);
    if (all) prepared.moves = torch::stack(moves, 3).flatten(2);
}

}  // namespace

std::unique_ptr<LibtorchTile> libtorch_tile(const Executor& executor, const LibtorchProgram& plan,
                                            const InjectableLayer& layer, const torch::Tensor& images,
                                            PreparedFor wanted)
{
    const Graph& graph = executor.graph();
    const NodeId input = graph.node(layer.node).inputs[0];
    GoldenRequest request;
    request.layer = layer.node;
    request.values = plan.golden_nodes;
    request.values.push_back(input);
    if (wanted.gradients)
    {
        request.gradients = plan.flow.checkpoints;
        request.gradients.push_back(layer.node);
    }
    GoldenPass pass = golden_pass(executor, images, request);
    const torch::NoGradGuard no_gradients;
    auto prepared = std::make_unique<LibtorchTile>();
    prepared->logits = pass.logits.to(executor.device());
    prepared->margins = std::move(pass.margins);
    std::vector<torch::Tensor> layer_gradients;
    if (wanted.gradients)
    {
        prepared->gradients = std::move(pass.gradients);
        layer_gradients = std::move(prepared->gradients[index(layer.node)]);
        prepared->gradients[index(layer.node)].clear();
    }
    prepare_layer(*prepared, LayerGeometry(graph, layer), pass.values[index(input)], layer_gradients,
                  wanted.lengths);
    prepared->golden.resize(graph.nodes().size());
    const auto hold = [&](const torch::Tensor& tensor) {
        if (tensor.defined()) prepared->size += static_cast<std::uint64_t>(tensor.numel()) * sizeof(float);
    };
    for (const NodeId id : plan.golden_nodes)
    {
        prepared->golden[index(id)] = pass.values[index(id)].contiguous();
        hold(prepared->golden[index(id)]);
    }
    for (std::vector<torch::Tensor>& of_node : prepared->gradients)
    {
        for (torch::Tensor& gradient : of_node)
        {
            gradient = gradient.contiguous();
            hold(gradient);
        }
    }
    for (const torch::Tensor& tensor : {prepared->input, prepared->largest, prepared->length, prepared->moves,
                                        prepared->layer_gradients, prepared->logits})
        hold(tensor);
    return prepared;
}

TileMemory libtorch_tile_memory(const Graph& graph, const LibtorchProgram& plan, const InjectableLayer& layer,
                                std::int64_t tile_images, PreparedFor wanted)
{
    const LayerGeometry geometry(graph, layer);
    const Node& node = graph.node(layer.node);
    const Shape& in = graph.node(node.inputs[0]).shape;
    const auto of = [&](NodeId id) { return elements(graph.node(id).shape); };
    std::int64_t padded_input = elements(in);
    std::int64_t floats = elements(graph.node(graph.output()).shape);
    if (geometry.conv)
    {
        const Conv2dOp& op = *geometry.conv;
        padded_input = in[0] * (in[1] + 2 * op.padding) * (in[2] + 2 * op.padding);
        floats += (wanted.lengths ? 2 : 1) * in[0] * op.kernel * op.kernel;
    }
    floats += padded_input;
    for (const NodeId id : plan.golden_nodes)
        floats += of(id);
    std::int64_t transient = 2 * padded_input + of(node.inputs[0]);
    if (wanted.gradients)
    {
        std::int64_t gradients = of(layer.node);
        for (const NodeId id : plan.flow.checkpoints)
            gradients += of(id);
        const std::int64_t rivals = rivals_of(graph, layer.node);
        floats += rivals * (gradients - of(layer.node));
        if (!geometry.conv)
            floats += rivals * geometry.outputs;
        else if (geometry.moves_of_all())
            floats += rivals * geometry.outputs * geometry.filter;
        else
            floats += rivals * of(layer.node);
        // What automatic differentiation keeps of every node, the gradients in two layouts, and the moves.
        transient += rivals * (2 * of(layer.node) + geometry.outputs * geometry.filter);
        for (const NodeId id : plan.flow.nodes)
            transient += of(id);
    }
    else
    {
        transient += live_elements(graph, NodeId(0));
    }
    TileMemory memory;
    memory.prepared = static_cast<std::uint64_t>(floats * tile_images) * sizeof(float);
    memory.preparing = static_cast<std::uint64_t>(transient * tile_images) * sizeof(float);
    return memory;
}

}  // namespace flipstorm
