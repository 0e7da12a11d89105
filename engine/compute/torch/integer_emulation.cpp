#include "engine/compute/torch/integer_emulation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{
namespace
{

/// A node that is computed.
struct EmulatedStep
{
    const EmulatedNode& node;
    const std::vector<torch::Tensor>& inputs;  ///< codes, float32
    const std::string& name;

    [[nodiscard]] torch::Tensor whole(std::size_t input) const { return inputs[input].to(torch::kInt64); }
};

/// A tensor with a value for each channel beside values [N, C, …].
torch::Tensor by_channel(const torch::Tensor& of_channel, const torch::Tensor& values)
{
    std::vector<std::int64_t> shape(static_cast<std::size_t>(values.dim()), 1);
    if (of_channel.numel() > 1) shape[1] = of_channel.numel();
    return of_channel.view(shape);
}

torch::Tensor rescaled(const torch::Tensor& sums, const EmulatedNode& node, std::size_t by)
{
    const torch::Tensor scaled = sums * by_channel(node.factor[by], sums) + by_channel(node.offset[by], sums);
    return torch::bitwise_right_shift(scaled, by_channel(node.shift[by], sums));
}

/// Exact whole numbers in float64, however the sum was arranged, as those of 64 bits.
torch::Tensor sums_of(const torch::Tensor& products)
{
    return products.round().to(torch::kInt64);
}

torch::Tensor emulate(const InputOp& /*op*/, const EmulatedStep& step)
{
    FS_REQUIRE(false, "the input '{}' is not computed", step.name);
    return {};
}

torch::Tensor emulate(const Conv2dOp& op, const EmulatedStep& step)
{
    const torch::Tensor products = torch::conv2d(step.inputs[0].to(torch::kFloat64), step.node.weights, {},
                                                 op.stride, op.padding, op.dilation, op.groups);
    const torch::Tensor sums = sums_of(products);
    return rescaled(sums + by_channel(step.node.bias, sums), step.node, 0);
}

torch::Tensor emulate(const LinearOp& /*op*/, const EmulatedStep& step)
{
    const torch::Tensor sums =
        sums_of(torch::matmul(step.inputs[0].to(torch::kFloat64), step.node.weights.t()));
    return rescaled(sums + step.node.bias, step.node, 0);
}

torch::Tensor emulate(const BatchNormOp& /*op*/, const EmulatedStep& step)
{
    return rescaled(step.whole(0), step.node, 0);
}

torch::Tensor emulate(const Relu6Op& /*op*/, const EmulatedStep& step)
{
    return step.inputs[0].clamp(0, step.node.ceiling);
}

torch::Tensor emulate(const AvgPool2dOp& op, const EmulatedStep& step)
{
    const torch::Tensor sums =
        torch::avg_pool2d(step.inputs[0].to(torch::kFloat64), op.kernel, op.stride, 0, false, true, 1);
    return rescaled(sums_of(sums), step.node, 0);
}

torch::Tensor emulate(const GlobalAvgPoolOp& /*op*/, const EmulatedStep& step)
{
    return rescaled(step.whole(0).sum({2, 3}, true), step.node, 0);
}

torch::Tensor emulate(const AddOp& /*op*/, const EmulatedStep& step)
{
    const torch::Tensor sum = step.whole(0) * step.node.factor[0] + step.whole(1) * step.node.factor[1];
    return torch::bitwise_right_shift(sum + step.node.offset[0], step.node.shift[0]);
}

torch::Tensor emulate(const ConcatOp& /*op*/, const EmulatedStep& step)
{
    std::vector<torch::Tensor> parts;
    for (std::size_t k = 0; k < step.inputs.size(); ++k)
        parts.push_back(rescaled(step.whole(k), step.node, k));
    return torch::cat(parts, 1);
}

torch::Tensor from_table(const EmulatedStep& step)
{
    const std::int64_t codes = step.node.table.numel();
    return step.node.table.index({step.whole(0) + codes / 2});
}

torch::Tensor emulate(const SigmoidOp& /*op*/, const EmulatedStep& step)
{
    return from_table(step);
}

torch::Tensor emulate(const SiluOp& /*op*/, const EmulatedStep& step)
{
    return from_table(step);
}

torch::Tensor emulate(const MulOp& /*op*/, const EmulatedStep& step)
{
    return rescaled(step.whole(0) * step.whole(1), step.node, 0);
}

/// What leaves codes as they are LibTorch does alike with floats.
template<class Op>
torch::Tensor as_floats(const Op& op, const EmulatedStep& step)
{
    return value_on_torch(op, ValueStep{step.name, step.inputs, nullptr, nullptr});
}

torch::Tensor emulate(const ReluOp& op, const EmulatedStep& step)
{
    return as_floats(op, step);
}

torch::Tensor emulate(const MaxPool2dOp& op, const EmulatedStep& step)
{
    return as_floats(op, step);
}

torch::Tensor emulate(const PadOp& op, const EmulatedStep& step)
{
    return as_floats(op, step);
}

torch::Tensor emulate(const SliceOp& op, const EmulatedStep& step)
{
    return as_floats(op, step);
}

torch::Tensor emulate(const FlattenOp& op, const EmulatedStep& step)
{
    return as_floats(op, step);
}

/// Tensors of int64 on a device.
template<class Value>
torch::Tensor whole_tensor(const std::vector<Value>& values, torch::Device device)
{
    const std::vector<std::int64_t> whole(values.begin(), values.end());
    return torch::tensor(whole, torch::kInt64).to(device);
}

}  // namespace

std::string emulation_obstacle(const Network& network)
{
    for (std::size_t i = 0; i < network.graph.nodes().size(); ++i)
    {
        const Node& node = network.graph.nodes()[i];
        const bool logits = i == index(network.graph.output());
        const bool wide = !logits && network.activations[i].bits > 16;
        if (wide ||
            (is_product(node.operation) && network.parameter(node.name + ".weight").traits().bits > 16))
            return fmt::format(
                "'{}' has words of more than 16 bits, whose products float64 does not hold exactly",
                node.name);
    }
    return {};
}

IntegerEmulation::IntegerEmulation(const Network& network, torch::Device device)
    : network_(integer_network(network)), device_(device)
{
    const std::string obstacle = emulation_obstacle(network);
    FS_CHECK(JobError, obstacle.empty(),
             "LibTorch cannot compute a network in {}: {}; take the CPU's kernels", to_string(network.format),
             obstacle);
    for (std::size_t i = 0; i < network_.nodes.size(); ++i)
        nodes_.push_back(emulated(NodeId(static_cast<std::int32_t>(i)), network_.nodes[i], {}));
}

EmulatedNode IntegerEmulation::emulated(NodeId id, const IntegerNode& node,
                                        const torch::Tensor& weights) const
{
    EmulatedNode result;
    result.limits = node.limits;
    result.ceiling = node.ceiling;
    result.weights = weights;
    const Operation& operation = network_.graph.node(id).operation;
    if (is_product(operation))
    {
        const Shape& out = network_.graph.node(id).shape;
        result.bias = whole_tensor(node.bias, device_);
        if (!weights.defined())
        {
            const auto* const conv = std::get_if<Conv2dOp>(&operation);
            const std::int64_t outputs = out[0];
            const torch::Tensor flat = whole_tensor(node.weights, device_).to(torch::kFloat64);
            result.weights = conv == nullptr
                                 ? flat.view({outputs, -1})
                                 : flat.view({outputs, conv->group_inputs(), conv->kernel, conv->kernel});
        }
    }
    const bool of_inputs =
        std::holds_alternative<AddOp>(operation) || std::holds_alternative<ConcatOp>(operation);
    std::vector<std::vector<Rescale>> sets;
    if (of_inputs)
    {
        for (const Rescale& rescale : node.rescale)
            sets.push_back({rescale});
    }
    else if (!node.rescale.empty())
        sets.push_back(node.rescale);
    for (const std::vector<Rescale>& set : sets)
    {
        std::vector<std::int64_t> factor;
        std::vector<std::int64_t> offset;
        std::vector<std::int64_t> shift;
        for (const Rescale& rescale : set)
        {
            factor.push_back(rescale.factor);
            offset.push_back(rescale.offset +
                             (rescale.shift == 0 ? 0 : std::int64_t{1} << (rescale.shift - 1)));
            shift.push_back(rescale.shift);
        }
        result.factor.push_back(whole_tensor(factor, device_));
        result.offset.push_back(whole_tensor(offset, device_));
        result.shift.push_back(whole_tensor(shift, device_));
    }
    if (!node.table.empty()) result.table = whole_tensor(node.table, device_);
    return result;
}

torch::Tensor IntegerEmulation::compute(NodeId id, const std::vector<torch::Tensor>& values,
                                        const EmulatedNode& node) const
{
    const Node& of = network_.graph.node(id);
    std::vector<torch::Tensor> inputs;
    for (const NodeId input : of.inputs)
        inputs.push_back(values[index(input)]);
    const EmulatedStep step{node, inputs, of.name};
    const torch::Tensor codes = std::visit([&](const auto& op) { return emulate(op, step); }, of.operation);
    std::vector<std::int64_t> shape = of.shape;
    shape.insert(shape.begin(), inputs[0].size(0));
    return codes.clamp(node.limits.low, node.limits.high).to(torch::kFloat32).reshape(shape);
}

std::vector<torch::Tensor> IntegerEmulation::values(const torch::Tensor& images, NodeId at,
                                                    const EmulatedNode* other) const
{
    std::vector<torch::Tensor> values(network_.nodes.size());
    const CodeLimits limits = network_.nodes[0].limits;
    values[0] = (images.to(torch::kFloat64) / static_cast<double>(network_.input_scale))
                    .round()
                    .clamp(static_cast<double>(limits.low), static_cast<double>(limits.high))
                    .to(torch::kFloat32)
                    .contiguous();
    for (std::size_t i = 1; i < values.size(); ++i)
    {
        const NodeId id(static_cast<std::int32_t>(i));
        values[i] = compute(id, values, other != nullptr && id == at ? *other : nodes_[i]);
    }
    return values;
}

torch::Tensor IntegerEmulation::resume(std::vector<torch::Tensor>& values,
                                       const std::vector<NodeId>& nodes) const
{
    for (const NodeId id : nodes)
        values[index(id)] = compute(id, values, node(id));
    return logits(values[index(network_.graph.output())]);
}

torch::Tensor IntegerEmulation::logits(const torch::Tensor& codes) const
{
    return (codes * network_.logit_scale).flatten(1).to(torch::kCPU).contiguous();
}

std::uint64_t IntegerEmulation::bytes() const
{
    std::uint64_t bytes = 0;
    for (const EmulatedNode& node : nodes_)
    {
        if (node.weights.defined()) bytes += static_cast<std::uint64_t>(node.weights.nbytes());
        if (node.table.defined()) bytes += static_cast<std::uint64_t>(node.table.nbytes());
    }
    return bytes;
}

std::uint64_t IntegerEmulation::image_bytes() const
{
    // A convolution copies its windows side by side, in float64.
    std::int64_t all = 0;
    std::int64_t widest = 0;
    for (const Node& node : network_.graph.nodes())
    {
        const std::int64_t own = elements(node.shape);
        all += own;
        std::int64_t work = 4 * own;
        if (const auto* const conv = std::get_if<Conv2dOp>(&node.operation))
            work += conv->group_inputs() * conv->kernel * conv->kernel * own / conv->group_outputs();
        widest = std::max(widest, work);
    }
    return static_cast<std::uint64_t>(all) * sizeof(float) +
           static_cast<std::uint64_t>(widest) * sizeof(double);
}

}  // namespace flipstorm
