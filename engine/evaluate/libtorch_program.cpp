#include "engine/evaluate/libtorch_program.hpp"

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

bool is_activation(const Operation& operation)
{
    return std::holds_alternative<ReluOp>(operation) || std::holds_alternative<Relu6Op>(operation);
}

/// Shape of a batch of values of a node.
std::vector<std::int64_t> batch_shape(std::int64_t pairs, const Shape& shape)
{
    std::vector<std::int64_t> sizes = shape;
    sizes.insert(sizes.begin(), pairs);
    return sizes;
}

/// Weights [outputs, inputs per group, taps] as [C_in, outputs per group, taps].
torch::Tensor weights_by_channel(const torch::Tensor& weight, std::int64_t groups)
{
    const std::int64_t inputs = weight.size(1);
    return weight.reshape({groups, weight.size(0) / groups, inputs, weight.size(2)})
        .permute({0, 2, 1, 3})
        .reshape({groups * inputs, weight.size(0) / groups, weight.size(2)})
        .contiguous();
}

}  // namespace

torch::Tensor padded_by(const torch::Tensor& value, const Conv2dOp& op)
{
    if (op.padding == 0) return value.contiguous();
    return torch::constant_pad_nd(value, {op.padding, op.padding, op.padding, op.padding}).contiguous();
}

torch::Tensor windows(const torch::Tensor& padded, const Conv2dOp& op)
{
    const std::int64_t height = padded.size(2);
    const std::int64_t width = padded.size(3);
    return padded.as_strided({padded.size(0), padded.size(1), op.kernel, op.kernel,
                              (height - op.kernel) / op.stride + 1, (width - op.kernel) / op.stride + 1},
                             {padded.stride(0), padded.stride(1), width, 1, op.stride * width, op.stride});
}

ChangeOperations::ChangeOperations(const Network& network, const Executor& executor)
    : graph_(network.graph),
      executor_(executor),
      forms_(value_forms(graph_)),
      flattened_alone_(native_obstacle(graph_).empty()),
      weight_(graph_.nodes().size()),
      by_channel_(graph_.nodes().size()),
      scale_(graph_.nodes().size())
{
    const torch::NoGradGuard no_gradients;
    std::size_t parameter = 0;
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i)
    {
        const Node& node = graph_.nodes()[i];
        if (is_product(node.operation)) weight_[i] = executor.parameters()[parameter];
        parameter += parameters_of(node).size();
        if (const auto* conv = std::get_if<Conv2dOp>(&node.operation))
            by_channel_[i] = weights_by_channel(weight_[i].flatten(2), conv->groups);
        else if (const auto* linear = std::get_if<LinearOp>(&node.operation))
        {
            const std::int64_t pixels = forms_[index(node.inputs[0])].pixels();
            by_channel_[i] = weights_by_channel(weight_[i].view({linear->out_features, -1, pixels}), 1);
        }
        else if (std::holds_alternative<BatchNormOp>(node.operation))
            scale_[i] =
                torch::tensor(batch_norm_scale(network, node)).to(torch::kFloat32).to(executor.device());
    }
}

/// One node's change from its inputs' changes.
class ChangeOperations::Step
{
  public:
    Step(const ChangeOperations& network, const LibtorchProgram& program, NodeId id,
         const std::vector<torch::Tensor>& changes, const PairIndex& pairs,
         const std::vector<torch::Tensor>& golden)
        : network_(network),
          program_(program),
          id_(id),
          node_(network.graph_.node(id)),
          alone_(program.alone[index(id)]),
          changes_(changes),
          pairs_(pairs),
          golden_(golden)
    {}

    torch::Tensor operator()(const InputOp& /*op*/) const { throw Error("the input node never changes"); }

    torch::Tensor operator()(const Conv2dOp& op) const
    {
        const NodeId input = node_.inputs[0];
        const torch::Tensor& change = changes_[index(input)];
        if (!program_.alone[index(input)])
        {
            return torch::conv2d(change, network_.weight_[index(id_)], {}, op.stride, op.padding, 1,
                                 op.groups);
        }
        const torch::Tensor columns =
            windows(padded_by(change, op), op).reshape({change.size(0), op.kernel * op.kernel, -1});
        const torch::Tensor channel = channel_of(input);
        const torch::Tensor product =
            torch::bmm(network_.by_channel_[index(id_)].index_select(0, channel), columns);
        const auto shape = batch_shape(change.size(0), node_.shape);
        if (op.groups == 1) return product.view(shape);
        torch::Tensor outputs =
            torch::zeros({change.size(0), op.groups, product.size(1), product.size(2)}, change.options());
        outputs.index_put_({rows(), channel.div(op.in_channels / op.groups, "floor")}, product);
        return outputs.view(shape);
    }

    torch::Tensor operator()(const LinearOp& /*op*/) const
    {
        const NodeId input = node_.inputs[0];
        const torch::Tensor& change = changes_[index(input)];
        if (!program_.alone[index(input)]) return torch::linear(change, network_.weight_[index(id_)]);
        const torch::Tensor weight = network_.by_channel_[index(id_)].index_select(0, channel_of(input));
        return torch::bmm(weight, change.flatten(1).unsqueeze(2)).squeeze(2);
    }

    torch::Tensor operator()(const BatchNormOp& /*op*/) const
    {
        const torch::Tensor& scale = network_.scale_[index(id_)];
        const torch::Tensor& change = changes_[index(node_.inputs[0])];
        if (alone_) return change * scale.index_select(0, channel_of(id_)).view({-1, 1, 1, 1});
        return node_.shape.size() == 3 ? change * scale.view({-1, 1, 1}) : change * scale;
    }

    torch::Tensor operator()(const ReluOp& /*op*/) const { return activation(); }
    torch::Tensor operator()(const Relu6Op& /*op*/) const { return activation(); }

    torch::Tensor operator()(const MaxPool2dOp& /*op*/) const
    {
        const NodeId input = node_.inputs[0];
        torch::Tensor faulty = golden_of(input).add_(changes_[index(input)]);
        return network_.executor_.apply(id_, {faulty}).sub_(golden_of(id_));
    }

    torch::Tensor operator()(const AvgPool2dOp& /*op*/) const { return linear_map(); }
    torch::Tensor operator()(const GlobalAvgPoolOp& /*op*/) const { return linear_map(); }
    torch::Tensor operator()(const SliceOp& /*op*/) const { return linear_map(); }

    torch::Tensor operator()(const PadOp& op) const
    {
        if (!alone_) return linear_map();
        return torch::constant_pad_nd(changes_[index(node_.inputs[0])],
                                      {op.left, op.right, op.top, op.bottom});
    }

    torch::Tensor operator()(const AddOp& /*op*/) const
    {
        const torch::Tensor& first = changes_[index(node_.inputs[0])];
        const torch::Tensor& second = changes_[index(node_.inputs[1])];
        if (!first.defined()) return as_this(node_.inputs[1]);
        if (!second.defined()) return as_this(node_.inputs[0]);
        return as_this(node_.inputs[0]) + as_this(node_.inputs[1]);
    }

    torch::Tensor operator()(const ConcatOp& /*op*/) const
    {
        std::vector<torch::Tensor> parts;
        for (const NodeId input : node_.inputs)
        {
            const torch::Tensor& change = changes_[index(input)];
            if (change.defined() && alone_) return change;
            if (change.defined())
                parts.push_back(as_this(input));
            else
            {
                parts.push_back(torch::zeros(
                    batch_shape(pairs_.image.size(0), network_.graph_.node(input).shape), options()));
            }
        }
        return torch::cat(parts, 1);
    }

    torch::Tensor operator()(const FlattenOp& /*op*/) const
    {
        return alone_ ? changes_[index(node_.inputs[0])] : as_this(node_.inputs[0]).flatten(1);
    }

  private:
    [[nodiscard]] torch::TensorOptions options() const
    {
        return torch::TensorOptions().dtype(torch::kFloat32).device(network_.executor_.device());
    }

    /// 0 … pairs − 1
    [[nodiscard]] torch::Tensor rows() const
    {
        return torch::arange(pairs_.image.size(0), pairs_.image.options());
    }

    /// Channel that changes at a node. [pairs]
    [[nodiscard]] torch::Tensor channel_of(NodeId id) const
    {
        return pairs_.channel + program_.flow.shift[index(id)];
    }

    /// An input's change with as many channels as this node's.
    [[nodiscard]] torch::Tensor as_this(NodeId input) const
    {
        const torch::Tensor& change = changes_[index(input)];
        return alone_ ? change : network_.dense(program_, input, change, pairs_);
    }

    /// The pairs' golden values of a node, as its change is held; a copy.
    [[nodiscard]] torch::Tensor golden_of(NodeId id) const
    {
        const torch::Tensor& golden = golden_[index(id)];
        if (!program_.alone[index(id)]) return golden.index_select(0, pairs_.image);
        const ValueForm& form = network_.forms_[index(id)];
        return golden.view({-1, 1, form.height, form.width})
            .index_select(0, pairs_.image * form.channels + channel_of(id));
    }

    [[nodiscard]] torch::Tensor activation() const
    {
        const NodeId input = node_.inputs[0];
        torch::Tensor value = golden_of(input);
        const torch::Tensor was = network_.executor_.apply(id_, {value});
        return network_.executor_.apply(id_, {value.add_(changes_[index(input)])}).sub_(was);
    }

    /// An operation without a constant part: the change of its value is its value of the change.
    [[nodiscard]] torch::Tensor linear_map() const
    {
        return network_.executor_.apply(id_, {as_this(node_.inputs[0])});
    }

    const ChangeOperations& network_;
    const LibtorchProgram& program_;
    NodeId id_;
    const Node& node_;
    bool alone_;
    const std::vector<torch::Tensor>& changes_;
    const PairIndex& pairs_;
    const std::vector<torch::Tensor>& golden_;
};

torch::Tensor ChangeOperations::run(const LibtorchProgram& program, const Segment& segment,
                                    torch::Tensor change, const PairIndex& pairs,
                                    const std::vector<torch::Tensor>& golden) const
{
    std::vector<torch::Tensor> changes(graph_.nodes().size());
    changes[index(segment.entry)] = std::move(change);
    for (const NodeId id : segment.nodes)
    {
        const Node& node = graph_.node(id);
        changes[index(id)] = std::visit(Step(*this, program, id, changes, pairs, golden), node.operation);
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
    program.segments.push_back({layer, {}, 0, 0});
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
        const bool pool = std::holds_alternative<MaxPool2dOp>(node.operation);
        if (pool || is_activation(node.operation)) read(node.inputs[0]);
        if (pool) read(id);
        program.segments.back().nodes.push_back(id);
        if (std::count(checkpoints.begin(), checkpoints.end(), id) > 0)
            program.segments.push_back({id, {}, 0, 0});
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
    const std::int64_t in = floats(program, node.inputs[0]);
    const std::int64_t out = floats(program, id);
    if (is_activation(node.operation)) return 2 * in;
    // The pool's positions are 64-bit numbers.
    if (std::holds_alternative<MaxPool2dOp>(node.operation)) return 2 * in + 3 * out;
    if (is_product(node.operation))
    {
        // LibTorch may lay input and output out anew.
        if (!program.alone[index(node.inputs[0])]) return in + out;
        const torch::Tensor& weight = by_channel_[index(id)];
        const auto* conv = std::get_if<Conv2dOp>(&node.operation);
        const ValueForm& form = forms_[index(node.inputs[0])];
        const std::int64_t frame = conv != nullptr ? 2 * conv->padding : 0;
        return weight.size(1) * weight.size(2) + weight.size(2) * forms_[index(id)].pixels() +
               (form.height + frame) * (form.width + frame) + out;
    }
    std::int64_t inputs = 0;
    for (const NodeId input : node.inputs)
        inputs += program.alone[index(id)] ? floats(program, input) : elements(graph_.node(input).shape);
    return inputs;
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
        const torch::Tensor& weight = by_channel_[index(id)];
        macs += program.alone[index(node.inputs[0])]
                    ? static_cast<double>(weight.size(1) * weight.size(2) * forms_[index(id)].pixels())
                    : static_cast<double>(graph_.macs(id));
    }
    return macs;
}

}  // namespace flipstorm
