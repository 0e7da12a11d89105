#include "engine/compute/torch/libtorch_program.hpp"

#include <algorithm>

#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{
std::vector<std::int64_t> batch_shape(std::int64_t pairs, const Shape& shape)
{
    std::vector<std::int64_t> sizes = shape;
    sizes.insert(sizes.begin(), pairs);
    return sizes;
}

torch::Tensor padded_by(const torch::Tensor& value, const Conv2dOp& op)
{
    if (op.padding == 0) return value.contiguous();
    return torch::constant_pad_nd(value, {op.padding, op.padding, op.padding, op.padding}).contiguous();
}

torch::Tensor windows(const torch::Tensor& padded, const Conv2dOp& op)
{
    const std::int64_t width = padded.size(3);
    const Windows window = op.windows(0, 0).rows;
    const auto count = [&](std::int64_t size) { return (size - window.extent()) / op.stride + 1; };
    return padded.as_strided(
        {padded.size(0), padded.size(1), op.kernel, op.kernel, count(padded.size(2)), count(width)},
        {padded.stride(0), padded.stride(1), op.dilation * width, op.dilation, op.stride * width, op.stride});
}

ChangeOperations::ChangeOperations(const Network& network, const Executor& executor)
    : graph_(network.graph),
      executor_(executor),
      forms_(value_forms(graph_)),
      flattened_alone_(flat_obstacle(graph_).empty()),
      nodes_(graph_.nodes().size())
{
    const torch::NoGradGuard no_gradients;
    for (std::size_t i = 1; i < nodes_.size(); ++i)
    {
        const Node& node = graph_.nodes()[i];
        const TorchPrepare from{network, node, forms_[index(node.inputs[0])],
                                executor_.parameters_of(NodeId(static_cast<std::int32_t>(i)))};
        std::visit([&](const auto& op) { prepare_on_torch(op, from, nodes_[i]); }, node.operation);
    }
}

torch::Tensor ChangeOperations::run(const LibtorchProgram& program, const Segment& segment,
                                    torch::Tensor change, const PairIndex& pairs,
                                    const std::vector<torch::Tensor>& golden) const
{
    std::vector<torch::Tensor> changes(graph_.nodes().size());
    changes[index(segment.entry)] = std::move(change);
    for (const NodeId id : segment.nodes)
    {
        const Node& node = graph_.node(id);
        const ChangeStep step(*this, program, id, changes, pairs, golden);
        changes[index(id)] =
            std::visit([&](const auto& op) { return change_on_torch(op, step); }, node.operation);
        for (const NodeId input : node.inputs)
        {
            if (program.last_reader[index(input)] == id) changes[index(input)].reset();
        }
    }
    return changes[index(segment.end())];
}

torch::Tensor ChangeOperations::dense(const LibtorchProgram& program, NodeId id, const torch::Tensor& change,
                                      const PairIndex& pairs) const
{
    if (!program.alone[index(id)]) return change;
    const ValueForm& form = forms_[index(id)];
    const std::int64_t count = change.size(0);
    torch::Tensor all = torch::zeros({count, form.channels, form.height, form.width}, change.options());
    all.index_put_(
        {torch::arange(count, pairs.channel.options()), pairs.channel + program.flow.shift[index(id)]},
        change.squeeze(1));
    return all.view(batch_shape(count, graph_.node(id).shape));
}

LibtorchProgram ChangeOperations::program(NodeId layer) const
{
    LibtorchProgram program;
    program.flow = change_flow(graph_, layer);
    const std::size_t count = graph_.nodes().size();
    program.alone.assign(count, false);
    program.alone[index(layer)] = true;
    program.last_reader.assign(count, layer);
    program.segments.push_back({layer, {}, 0, 0, false});
    const std::vector<NodeId>& checkpoints = program.flow.checkpoints;
    const auto read = [&](NodeId id) {
        if (std::count(program.golden_nodes.begin(), program.golden_nodes.end(), id) == 0)
            program.golden_nodes.push_back(id);
    };
    for (const NodeId id : program.flow.nodes)
    {
        const Node& node = graph_.node(id);
        bool alone = program.flow.extent[index(id)] == Extent::channel;
        for (const NodeId input : node.inputs)
        {
            program.last_reader[index(input)] = id;
            if (program.flow.extent[index(input)] != Extent::none)
                alone = alone && program.alone[index(input)];
        }
        if (std::holds_alternative<FlattenOp>(node.operation) && forms_[index(id)].pixels() > 1)
            alone = alone && flattened_alone_;
        program.alone[index(id)] = alone;
        const TorchTraits traits =
            std::visit([](const auto& op) { return torch_traits(op); }, node.operation);
        if (traits.golden_input) read(node.inputs[0]);
        if (traits.golden_output) read(id);
        for (const NodeId input : node.inputs)
        {
            if (traits.golden_inputs) read(input);
        }
        Segment& segment = program.segments.back();
        segment.nodes.push_back(id);
        segment.product = segment.product || is_bilinear(node.operation);
        if (std::count(checkpoints.begin(), checkpoints.end(), id) > 0)
            program.segments.push_back({id, {}, 0, 0, false});
    }
    for (Segment& segment : program.segments)
        measure(program, segment);
    return program;
}

std::int64_t ChangeOperations::floats(const LibtorchProgram& program, NodeId id) const
{
    if (program.flow.extent[index(id)] == Extent::none) return 0;
    return program.alone[index(id)] ? forms_[index(id)].pixels() : elements(graph_.node(id).shape);
}

/// Floats that a node's operation needs for a pair beside its inputs and its output.
std::int64_t ChangeOperations::temporary_floats(const LibtorchProgram& program, NodeId id) const
{
    const Node& node = graph_.node(id);
    const NodeId first = node.inputs[0];
    std::int64_t inputs = 0;
    for (const NodeId input : node.inputs)
        inputs += program.alone[index(id)] ? floats(program, input) : elements(graph_.node(input).shape);
    const ChangeFloats of_pair{floats(program, first),      floats(program, id), inputs,
                               program.alone[index(first)], nodes_[index(id)],   forms_[index(first)],
                               forms_[index(id)].pixels()};
    return std::visit([&](const auto& op) { return flipstorm::temporary_floats(op, of_pair); },
                      node.operation);
}

void ChangeOperations::measure(const LibtorchProgram& program, Segment& segment) const
{
    segment.entry_floats = floats(program, segment.entry);
    std::int64_t alive = segment.entry_floats;
    // At a checkpoint, magnitudes and gradients are as large as the change.
    segment.floats = alive + 2 * floats(program, segment.end());
    for (const NodeId id : segment.nodes)
    {
        alive += floats(program, id);
        segment.floats = std::max(segment.floats, alive + temporary_floats(program, id));
        std::vector<NodeId> released;
        for (const NodeId input : graph_.node(id).inputs)
        {
            if (program.last_reader[index(input)] != id) continue;
            if (std::count(released.begin(), released.end(), input) > 0) continue;
            released.push_back(input);
            alive -= floats(program, input);
        }
    }
    segment.floats = std::max(segment.floats, alive + 2 * floats(program, segment.end()));
}

double ChangeOperations::macs(const LibtorchProgram& program, const Segment& segment) const
{
    double macs = 0;
    for (const NodeId id : segment.nodes)
    {
        const Node& node = graph_.node(id);
        if (!is_product(node.operation)) continue;
        const torch::Tensor& weight = nodes_[index(id)].by_channel;
        macs += program.alone[index(node.inputs[0])]
                    ? static_cast<double>(weight.size(1) * weight.size(2) * forms_[index(id)].pixels())
                    : static_cast<double>(graph_.macs(id));
    }
    return macs;
}

std::uint64_t ChangeOperations::bytes() const
{
    std::uint64_t floats = 0;
    for (const TorchNode& node : nodes_)
    {
        for (const torch::Tensor& tensor : {node.by_channel, node.scale})
            floats += tensor.defined() ? static_cast<std::uint64_t>(tensor.numel()) : 0;
    }
    return floats * sizeof(float);
}

}  // namespace flipstorm
