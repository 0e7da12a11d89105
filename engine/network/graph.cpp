#include "engine/network/graph.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// Of a padding, on each side: sums of sizes stay far from overflow.
constexpr std::int64_t kLargestSize = std::int64_t{1} << 20;

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

/// Checks one node against its inputs and infers its shape.
struct ShapeRule
{
    const std::string& name;
    const std::vector<const Shape*>& inputs;

    void expect(bool holds, const std::string& what) const
    {
        FS_CHECK(DataError, holds, "node '{}': {}", name, what);
    }

    void expect_inputs(std::size_t count) const
    {
        expect(inputs.size() == count, fmt::format("has {} inputs, needs {}", inputs.size(), count));
    }

    /// The only input, which must be an image of [C, H, W].
    [[nodiscard]] const Shape& image() const
    {
        expect_inputs(1);
        expect(inputs[0]->size() == 3, fmt::format("its input has shape {}, it needs [C, H, W]", *inputs[0]));
        return *inputs[0];
    }

    [[nodiscard]] std::int64_t window(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                                      std::int64_t padding) const
    {
        expect(kernel > 0 && stride > 0 && padding >= 0 && padding <= kLargestSize,
               fmt::format("kernel {}, stride {}, padding {}", kernel, stride, padding));
        expect(size + 2 * padding >= kernel,
               fmt::format("a window of {} does not fit {} elements padded by {}", kernel, size, padding));
        return (size + 2 * padding - kernel) / stride + 1;
    }

    Shape operator()(const InputOp& /*op*/) const
    {
        throw DataError("node '{}': a graph has one input", name);
    }

    Shape operator()(const Conv2dOp& op) const
    {
        const Shape& in = image();
        expect(op.groups > 0 && op.out_channels > 0 && op.in_channels % op.groups == 0 &&
                   op.out_channels % op.groups == 0,
               fmt::format("{} → {} channels in {} groups", op.in_channels, op.out_channels, op.groups));
        expect(in[0] == op.in_channels,
               fmt::format("its input has {} channels, it takes {}", in[0], op.in_channels));
        return {op.out_channels, window(in[1], op.kernel, op.stride, op.padding),
                window(in[2], op.kernel, op.stride, op.padding)};
    }

    Shape operator()(const LinearOp& op) const
    {
        expect_inputs(1);
        expect(op.out_features > 0 && *inputs[0] == Shape{op.in_features},
               fmt::format("its input has shape {}, it takes [{}]", *inputs[0], op.in_features));
        return {op.out_features};
    }

    Shape operator()(const ReluOp& /*op*/) const
    {
        expect_inputs(1);
        return *inputs[0];
    }

    Shape operator()(const BatchNormOp& op) const
    {
        expect_inputs(1);
        const Shape& in = *inputs[0];
        expect(
            (in.size() == 1 || in.size() == 3) && in[0] == op.channels,
            fmt::format("its input has shape {}, it takes [{}, H, W] or [{}]", in, op.channels, op.channels));
        expect(std::isfinite(op.epsilon) && op.epsilon >= 0,
               fmt::format("epsilon is {}, it must be finite and not negative", op.epsilon));
        return in;
    }

    Shape operator()(const Relu6Op& /*op*/) const
    {
        expect_inputs(1);
        return *inputs[0];
    }

    Shape operator()(const MaxPool2dOp& op) const
    {
        const Shape& in = image();
        const Shape out{in[0], window(in[1], op.kernel, op.stride, op.padding),
                        window(in[2], op.kernel, op.stride, op.padding)};
        // Any more, and a window could lie in the padding alone.
        expect(op.padding <= op.kernel / 2,
               fmt::format("padding {} is more than half of its kernel, {}", op.padding, op.kernel));
        return out;
    }

    Shape operator()(const AvgPool2dOp& op) const
    {
        const Shape& in = image();
        return {in[0], window(in[1], op.kernel, op.stride, 0), window(in[2], op.kernel, op.stride, 0)};
    }

    Shape operator()(const GlobalAvgPoolOp& /*op*/) const { return {image()[0], 1, 1}; }

    Shape operator()(const AddOp& /*op*/) const
    {
        expect_inputs(2);
        expect(*inputs[0] == *inputs[1], fmt::format("adds shapes {} and {}", *inputs[0], *inputs[1]));
        return *inputs[0];
    }

    Shape operator()(const PadOp& op) const
    {
        const Shape& in = image();
        for (const std::int64_t zeros :
             {op.channels_before, op.channels_behind, op.top, op.bottom, op.left, op.right})
        {
            expect(zeros >= 0 && zeros <= kLargestSize,
                   fmt::format("adds {} zeros on a side, it can add 0 … {}", zeros, kLargestSize));
        }
        return {in[0] + op.channels_before + op.channels_behind, in[1] + op.top + op.bottom,
                in[2] + op.left + op.right};
    }

    Shape operator()(const SliceOp& op) const
    {
        Shape shape = image();
        expect(op.dimension >= 0 && op.dimension <= 2,
               fmt::format("slices dimension {} of [C, H, W], it must be 0, 1 or 2", op.dimension));
        std::int64_t& size = shape[static_cast<std::size_t>(op.dimension)];
        expect(
            op.start >= 0 && op.start < op.end && op.end <= size && op.step > 0,
            fmt::format("takes {}:{}:{} (start:end:step) of {} elements", op.start, op.end, op.step, size));
        size = (op.end - op.start - 1) / op.step + 1;
        return shape;
    }

    Shape operator()(const ConcatOp& /*op*/) const
    {
        expect(inputs.size() >= 2, fmt::format("has {} inputs, needs two or more", inputs.size()));
        Shape shape = *inputs[0];
        expect(shape.size() == 3, fmt::format("its input has shape {}, it needs [C, H, W]", shape));
        for (std::size_t i = 1; i < inputs.size(); ++i)
        {
            const Shape& next = *inputs[i];
            expect(next.size() == 3 && next[1] == shape[1] && next[2] == shape[2],
                   fmt::format("joins shapes {} and {}, which must agree in all but the channels", *inputs[0],
                               next));
            shape[0] += next[0];
        }
        return shape;
    }

    Shape operator()(const FlattenOp& /*op*/) const
    {
        expect_inputs(1);
        return {elements(*inputs[0])};
    }
};

}  // namespace

std::int64_t elements(const Shape& shape)
{
    std::int64_t count = 1;
    for (const std::int64_t size : shape)
        count *= size;
    return count;
}

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
    added.shape = std::visit(ShapeRule{added.name, shapes}, operation);
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
    const auto add = [&](const char* name, Shape shape, bool trainable = true) {
        specs.push_back({node.name + name, std::move(shape), trainable});
    };
    if (const auto* conv = std::get_if<Conv2dOp>(&node.operation))
    {
        add(".weight", {conv->out_channels, conv->in_channels / conv->groups, conv->kernel, conv->kernel});
        if (conv->bias) add(".bias", {conv->out_channels});
    }
    else if (const auto* linear = std::get_if<LinearOp>(&node.operation))
    {
        add(".weight", {linear->out_features, linear->in_features});
        if (linear->bias) add(".bias", {linear->out_features});
    }
    else if (const auto* norm = std::get_if<BatchNormOp>(&node.operation))
    {
        add(".weight", {norm->channels});
        add(".bias", {norm->channels});
        add(".running_mean", {norm->channels}, false);
        add(".running_var", {norm->channels}, false);
    }
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
    if (const auto* conv = std::get_if<Conv2dOp>(&entry.operation))
    {
        return elements(entry.shape) * (conv->in_channels / conv->groups) * conv->kernel * conv->kernel;
    }
    if (const auto* linear = std::get_if<LinearOp>(&entry.operation))
    {
        return linear->in_features * linear->out_features;
    }
    return 0;
}

}  // namespace flipstorm
