#include "engine/evaluate/certificate.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "engine/evaluate/native_network.hpp"

namespace flipstorm
{
namespace
{

std::size_t index(NodeId id)
{
    return static_cast<std::size_t>(id.value());
}

std::int64_t overlap(std::int64_t kernel, std::int64_t stride)
{
    return (kernel + stride - 1) / stride;
}

/// The largest distance of two rows.
double largest_difference(const std::vector<float>& values, std::int64_t rows, std::int64_t columns)
{
    double largest = 0;
    for (std::int64_t a = 0; a < rows; ++a)
    {
        for (std::int64_t b = a + 1; b < rows; ++b)
        {
            double sum = 0;
            for (std::int64_t c = 0; c < columns; ++c)
            {
                const double d = static_cast<double>(values[static_cast<std::size_t>(a * columns + c)]) -
                                 static_cast<double>(values[static_cast<std::size_t>(b * columns + c)]);
                sum += d * d;
            }
            largest = std::max(largest, std::sqrt(sum));
        }
    }
    return largest;
}

/// Columns first … first + count − 1 of a matrix.
std::vector<float> columns_of(const std::vector<float>& values, std::int64_t row_first, std::int64_t rows,
                              std::int64_t columns, std::int64_t first, std::int64_t count)
{
    std::vector<float> part;
    part.reserve(static_cast<std::size_t>(rows * count));
    for (std::int64_t r = row_first; r < row_first + rows; ++r)
    {
        const auto* row = values.data() + r * columns + first;
        part.insert(part.end(), row, row + count);
    }
    return part;
}

/// Factor of a batch norm on one channel.
double norm_factor(const Network& network, const Node& node, const BatchNormOp& op, std::int64_t channel)
{
    const auto c = static_cast<std::size_t>(channel);
    return std::fabs(static_cast<double>(network.parameter(node.name + ".weight").values[c])) /
           std::sqrt(static_cast<double>(network.parameter(node.name + ".running_var").values[c]) +
                     op.epsilon);
}

/// Lipschitz constant of an operation on a change of any kind, products and batch norms aside.
double plain_gain(const Operation& operation, std::int64_t pixels)
{
    if (const auto* pool = std::get_if<MaxPool2dOp>(&operation))
        return static_cast<double>(overlap(pool->kernel, pool->stride));
    if (const auto* mean = std::get_if<AvgPool2dOp>(&operation))
        return static_cast<double>(overlap(mean->kernel, mean->stride)) / static_cast<double>(mean->kernel);
    if (std::holds_alternative<GlobalAvgPoolOp>(operation)) return 1 / std::sqrt(static_cast<double>(pixels));
    return 1;
}

}  // namespace

double spectral_norm_bound(const std::vector<float>& values, std::int64_t rows, std::int64_t columns)
{
    const torch::NoGradGuard no_gradients;
    const torch::Tensor matrix =
        torch::from_blob(const_cast<float*>(values.data()), {rows, columns}, torch::kFloat32)
            .to(torch::kFloat64);
    torch::Tensor gram = rows <= columns ? matrix.matmul(matrix.t()) : matrix.t().matmul(matrix);
    // ‖G‖₂^(2^j) ≤ ‖G^(2^j)‖_F, with G scaled before each squaring.
    constexpr int kSquarings = 6;
    double log_bound = 0;
    double weight = 1;
    for (int j = 0; j < kSquarings; ++j)
    {
        const double size = gram.norm().item<double>();
        if (!(size > 0)) return 0;
        log_bound += weight * std::log(size);
        gram = gram / size;
        gram = gram.matmul(gram);
        weight /= 2;
    }
    const double size = gram.norm().item<double>();
    log_bound += weight * std::log(std::max(size, std::numeric_limits<double>::min()));
    return std::exp(log_bound / 2) * (1 + 1e-9);
}

LogitGains::LogitGains(const Network& network) : network_(network), consumers_(consumers_of(network.graph))
{
    const Graph& graph = network_.graph;
    const std::vector<ValueForm> forms = value_forms(graph);
    whole_.assign(graph.nodes().size(), 0);
    whole_[index(graph.output())] = std::sqrt(2.0);
    for (std::size_t i = graph.nodes().size() - 1; i > 0; --i)
    {
        const Node& node = graph.nodes()[i];
        double gain = plain_gain(node.operation, forms[index(node.inputs[0])].pixels()) * whole_[i];
        if (std::holds_alternative<Conv2dOp>(node.operation) ||
            std::holds_alternative<LinearOp>(node.operation))
        {
            const Parameter& weight = network_.parameter(node.name + ".weight");
            const std::int64_t rows = weight.shape[0];
            const std::int64_t columns = elements(weight.shape) / rows;
            const auto* conv = std::get_if<Conv2dOp>(&node.operation);
            if (conv == nullptr && i == index(graph.output()))
                gain = largest_difference(weight.values, rows, columns);
            else
            {
                // The groups of a convolution act on different channels: the norm is the largest one's.
                const std::int64_t groups = conv != nullptr ? conv->groups : 1;
                double norm = 0;
                for (std::int64_t g = 0; g < groups; ++g)
                {
                    norm = std::max(norm, spectral_norm_bound(columns_of(weight.values, g * (rows / groups),
                                                                         rows / groups, columns, 0, columns),
                                                              rows / groups, columns));
                }
                gain = norm * whole_[i] *
                       static_cast<double>(conv != nullptr ? overlap(conv->kernel, conv->stride) : 1);
            }
        }
        else if (const auto* norm = std::get_if<BatchNormOp>(&node.operation))
        {
            double largest = 0;
            for (std::int64_t c = 0; c < norm->channels; ++c)
                largest = std::max(largest, norm_factor(network_, node, *norm, c));
            gain = largest * whole_[i];
        }
        for (const NodeId input : node.inputs)
            whole_[index(input)] += gain;
    }
}

/// What a consumer makes of a unit change of one channel of `changed`, at the logits.
double LogitGains::of_channel(NodeId consumer, const ChangeFlow& flow, NodeId changed, std::int64_t channel,
                              const std::vector<std::vector<double>>& known) const
{
    const Node& node = network_.graph.node(consumer);
    const std::vector<ValueForm> forms = value_forms(network_.graph);
    if (const auto* conv = std::get_if<Conv2dOp>(&node.operation))
    {
        const Parameter& weight = network_.parameter(node.name + ".weight");
        const std::int64_t rows = conv->out_channels / conv->groups;
        const std::int64_t inputs = conv->in_channels / conv->groups;
        const std::int64_t window = conv->kernel * conv->kernel;
        return spectral_norm_bound(columns_of(weight.values, channel / inputs * rows, rows, inputs * window,
                                              channel % inputs * window, window),
                                   rows, window) *
               static_cast<double>(overlap(conv->kernel, conv->stride)) * whole_[index(consumer)];
    }
    if (std::holds_alternative<LinearOp>(node.operation))
    {
        const Parameter& weight = network_.parameter(node.name + ".weight");
        const std::int64_t pixels = forms[index(changed)].pixels();
        const std::vector<float> part =
            columns_of(weight.values, 0, weight.shape[0], weight.shape[1], channel * pixels, pixels);
        if (consumer == network_.graph.output() && pixels == 1)
            return largest_difference(part, weight.shape[0], 1);
        return spectral_norm_bound(part, weight.shape[0], pixels) * whole_[index(consumer)];
    }
    double behind = whole_[index(consumer)];
    if (flow.extent[index(consumer)] == Extent::channel)
    {
        const std::int64_t at = channel + flow.shift[index(consumer)] - flow.shift[index(changed)];
        behind = known[index(consumer)][static_cast<std::size_t>(at)];
    }
    if (const auto* norm = std::get_if<BatchNormOp>(&node.operation))
    {
        // Of a flattened map, each pixel has a factor of its own.
        const std::int64_t factors = node.shape.size() == 1 ? forms[index(changed)].pixels() : 1;
        double largest = 0;
        for (std::int64_t c = channel * factors; c < (channel + 1) * factors; ++c)
            largest = std::max(largest, norm_factor(network_, node, *norm, c));
        return largest * behind;
    }
    return plain_gain(node.operation, forms[index(changed)].pixels()) * behind;
}

std::vector<double> LogitGains::of_layer(const ChangeFlow& flow, NodeId layer) const
{
    const std::vector<ValueForm> forms = value_forms(network_.graph);
    std::vector<std::vector<double>> gain(flow.extent.size());
    for (std::size_t i = flow.extent.size(); i-- > index(layer);)
    {
        if (flow.extent[i] != Extent::channel) continue;
        const NodeId id(static_cast<std::int32_t>(i));
        // One logit alone moves, unless the logits are a flattened map.
        const double of_output = forms[i].pixels() == 1 ? 1 : std::sqrt(2.0);
        gain[i].assign(static_cast<std::size_t>(forms[i].channels),
                       id == network_.graph.output() ? of_output : 0);
        const std::int64_t first = flow.shift[i];
        const std::int64_t end = first + forms[index(layer)].channels;
        for (std::int64_t c = first; c < end; ++c)
        {
            for (const NodeId consumer : consumers_[i])
                gain[i][static_cast<std::size_t>(c)] += of_channel(consumer, flow, id, c, gain);
        }
    }
    return gain[index(layer)];
}

}  // namespace flipstorm
