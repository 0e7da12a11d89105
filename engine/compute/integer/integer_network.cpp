#include "engine/compute/integer/integer_network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// What a node is lowered from.
struct Lowering
{
    const Network& network;
    const Node& node;
    NodeId id;
    IntegerNode& to;

    [[nodiscard]] const StoredActivation& own() const { return network.activations[index(id)]; }
    [[nodiscard]] const StoredActivation& input(std::size_t k = 0) const
    {
        return network.activations[index(node.inputs[k])];
    }
    [[nodiscard]] double scale() const { return static_cast<double>(own().scale); }
    [[nodiscard]] double input_scale(std::size_t k = 0) const { return static_cast<double>(input(k).scale); }
    [[nodiscard]] const Parameter& parameter(const char* suffix) const
    {
        return network.parameter(node.name + suffix);
    }
};

/// Weights, bias and rescaling of a convolution or linear layer.
void lower_product(const Lowering& at, bool has_bias)
{
    const Parameter& weight = at.parameter(".weight");
    const auto outputs = static_cast<std::size_t>(weight.shape().front());
    at.to.weights = codes_of(weight);
    at.to.dropped = dropped_bits(at.input().bits, weight.traits().bits);
    const std::vector<float>& scales = weight.scales();
    for (std::size_t o = 0; o < outputs; ++o)
    {
        const auto of_weights = static_cast<double>(scales[scales.size() == 1 ? 0 : o]);
        const double of_sum = std::ldexp(at.input_scale() * of_weights, at.to.dropped);
        at.to.rescale.push_back(reduced(rescale_of(of_sum / at.scale())));
        std::int64_t bias = 0;
        if (has_bias)
        {
            const Parameter& stored = at.parameter(".bias");
            const std::int64_t code = whole_number(stored.word(o), stored.traits().bits);
            const auto of_bias = static_cast<double>(stored.scales()[stored.scales().size() == 1 ? 0 : o]);
            const CodeLimits limits = code_limits(at.input().bits + weight.traits().bits <= 16 ? 31 : 60);
            bias = stored.format() == NumberFormat::int32
                       ? limits(code)
                       : code_of(static_cast<double>(code) * of_bias, of_sum, limits);
        }
        at.to.bias.push_back(bias);
    }
}

void lower(const InputOp& /*op*/, const Lowering& /*at*/) {}

void lower(const Conv2dOp& op, const Lowering& at)
{
    lower_product(at, op.bias);
}

void lower(const LinearOp& op, const Lowering& at)
{
    lower_product(at, op.bias);
}

/// y = a · x + b with a = weight / √(variance + ε), b = bias − mean · a, channel by channel.
void lower(const BatchNormOp& op, const Lowering& at)
{
    const std::vector<float>& weight = at.parameter(".weight").values();
    const std::vector<float>& bias = at.parameter(".bias").values();
    const std::vector<float>& mean = at.parameter(".running_mean").values();
    const std::vector<float>& variance = at.parameter(".running_var").values();
    for (std::size_t c = 0; c < weight.size(); ++c)
    {
        const double a =
            static_cast<double>(weight[c]) / std::sqrt(static_cast<double>(variance[c]) + op.epsilon);
        const double b = static_cast<double>(bias[c]) - static_cast<double>(mean[c]) * a;
        at.to.rescale.push_back(rescale_of(a * at.input_scale() / at.scale(), b / at.scale()));
    }
}

void lower(const ReluOp& /*op*/, const Lowering& /*at*/) {}

void lower(const Relu6Op& /*op*/, const Lowering& at)
{
    at.to.ceiling = code_of(6, at.scale(), at.to.limits);
}

void lower(const MaxPool2dOp& /*op*/, const Lowering& /*at*/) {}

void lower(const AvgPool2dOp& op, const Lowering& at)
{
    at.to.rescale.push_back(
        reduced(rescale_of(at.input_scale() / (at.scale() * static_cast<double>(op.kernel * op.kernel)))));
}

void lower(const GlobalAvgPoolOp& /*op*/, const Lowering& at)
{
    const Shape& in = at.network.graph.node(at.node.inputs[0]).shape;
    at.to.rescale.push_back(
        reduced(rescale_of(at.input_scale() / (at.scale() * static_cast<double>(in[1] * in[2])))));
}

/// Both by the same power of two, that of the larger ratio.
void lower(const AddOp& /*op*/, const Lowering& at)
{
    const double ratios[2] = {at.input_scale(0) / at.scale(), at.input_scale(1) / at.scale()};
    const Rescale larger = rescale_of(std::max(ratios[0], ratios[1]));
    for (const double ratio : ratios)
    {
        const double factor =
            std::fmin(std::nearbyint(std::ldexp(ratio, larger.shift)), static_cast<double>(kLargestFactor20));
        at.to.rescale.push_back({static_cast<std::int32_t>(factor), larger.shift, 0});
    }
}

void lower(const MulOp& /*op*/, const Lowering& at)
{
    at.to.dropped = dropped_bits(at.input(0).bits, at.input(1).bits);
    const double of_product = std::ldexp(at.input_scale(0) * at.input_scale(1), at.to.dropped);
    at.to.rescale.push_back(reduced(rescale_of(of_product / at.scale())));
}

void lower(const PadOp& /*op*/, const Lowering& /*at*/) {}
void lower(const SliceOp& /*op*/, const Lowering& /*at*/) {}
void lower(const FlattenOp& /*op*/, const Lowering& /*at*/) {}

void lower(const ConcatOp& /*op*/, const Lowering& at)
{
    for (std::size_t k = 0; k < at.node.inputs.size(); ++k)
        at.to.rescale.push_back(reduced(rescale_of(at.input_scale(k) / at.scale())));
}

/// The value of each code of the input.
template<class Function>
void lower_table(const Lowering& at, const Function& function)
{
    const CodeLimits codes = code_limits(at.input().bits);
    for (std::int64_t code = codes.low; code <= codes.high; ++code)
    {
        const double y = function(static_cast<double>(code) * at.input_scale());
        at.to.table.push_back(static_cast<std::int32_t>(code_of(y, at.scale(), at.to.limits)));
    }
}

void lower(const SigmoidOp& /*op*/, const Lowering& at)
{
    lower_table(at, [](double x) { return 1 / (1 + std::exp(-x)); });
}

void lower(const SiluOp& /*op*/, const Lowering& at)
{
    lower_table(at, [](double x) { return x / (1 + std::exp(-x)); });
}

/// Why a node cannot be computed: sums that leave 32 or 62 bits, tables too long.
std::string obstacle_of(const Network& network, NodeId id)
{
    const Node& node = network.graph.node(id);
    const bool tabled =
        std::holds_alternative<SigmoidOp>(node.operation) || std::holds_alternative<SiluOp>(node.operation);
    if (tabled && network.activations[index(node.inputs[0])].bits > 16)
        return fmt::format("'{}' is a {} of words of more than 16 bits", node.name, name_of(node.operation));
    if (!is_product(node.operation)) return {};
    const Parameter& weight = network.parameter(node.name + ".weight");
    const int in_bits = network.activations[index(node.inputs[0])].bits;
    const int product = std::min(in_bits + weight.traits().bits, kProductBits) - 2;
    const auto terms = static_cast<double>(weight.size()) / static_cast<double>(weight.shape().front());
    const double most = std::ldexp(terms, product + 1);
    const bool narrow = in_bits + weight.traits().bits <= 16;
    // The kernels add 128 to the values of 8-bit words.
    const double limit = narrow ? std::ldexp(1.0, 29) : std::ldexp(1.0, 61);
    if (most >= limit)
        return fmt::format("the sums of '{}', of {} products each, may leave {} bits", node.name, terms,
                           narrow ? 32 : 64);
    if (weight.traits().scaling == Scaling::any && most >= std::ldexp(1.0, 41))
        return fmt::format("the sums of '{}' are too long for the scales of {}", node.name,
                           weight.traits().name);
    return {};
}

}  // namespace

std::vector<std::int32_t> codes_of(const StoredTensor& tensor)
{
    FS_REQUIRE(tensor.traits().whole_numbers, "codes of {}", tensor.traits().name);
    std::vector<std::int32_t> codes(tensor.size());
    for (std::size_t i = 0; i < codes.size(); ++i)
        codes[i] = static_cast<std::int32_t>(whole_number(tensor.word(i), tensor.traits().bits));
    return codes;
}

std::string integer_obstacle(const Network& network)
{
    constexpr std::int64_t kMostPixels = 65535;
    for (std::size_t i = 0; i < network.graph.nodes().size(); ++i)
    {
        const NodeId id(static_cast<std::int32_t>(i));
        for (const std::int64_t size : network.graph.nodes()[i].shape)
        {
            if (size > kMostPixels * kMostPixels)
                return fmt::format("'{}' is too large", network.graph.nodes()[i].name);
        }
        const std::string obstacle = obstacle_of(network, id);
        if (!obstacle.empty()) return obstacle;
    }
    return flat_obstacle(network.graph);
}

IntegerNode integer_node(const Network& network, NodeId id)
{
    IntegerNode result;
    result.bits = network.activations[index(id)].bits;
    result.limits = code_limits(result.bits);
    const Node& node = network.graph.node(id);
    std::visit([&](const auto& op) { lower(op, {network, node, id, result}); }, node.operation);
    return result;
}

IntegerNetwork integer_network(const Network& network)
{
    FS_REQUIRE(network.computes_in_integers(), "a network of floats as one of whole numbers");
    const std::string obstacle = integer_obstacle(network);
    FS_CHECK(JobError, obstacle.empty(), "the network cannot be computed in whole numbers: {}", obstacle);
    IntegerNetwork result{network.graph, value_forms(network.graph), {}, network.normalisation, 1, 1, 8};
    result.input_scale = network.activations.front().scale;
    result.logit_scale = network.activations.back().scale;
    for (std::size_t i = 0; i < network.graph.nodes().size(); ++i)
    {
        const NodeId id(static_cast<std::int32_t>(i));
        result.nodes.push_back(integer_node(network, id));
        const bool logits = id == network.graph.output() && is_product(network.graph.node(id).operation);
        std::int32_t bits = logits ? 0 : result.nodes.back().bits;
        if (is_product(network.graph.node(id).operation))
            bits = std::max(bits, network.parameter(network.graph.node(id).name + ".weight").traits().bits);
        while (result.word_bits < bits)
            result.word_bits *= 2;
    }
    return result;
}

}  // namespace flipstorm
