#include "engine/evaluate/certificate.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace flipstorm
{
namespace
{

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

LogitGains::LogitGains(const Network& network)
    : network_(network),
      consumers_(consumers_of(network.graph)),
      forms_(value_forms(network.graph)),
      norm_factors_(network.graph.nodes().size())
{
    for (std::size_t i = 0; i < norm_factors_.size(); ++i)
    {
        const Node& node = network_.graph.nodes()[i];
        if (!std::holds_alternative<BatchNormOp>(node.operation)) continue;
        for (const double scale : batch_norm_scale(network_, node))
            norm_factors_[i].push_back(std::fabs(scale));
    }
}

double LogitGains::of_whole(NodeId id)
{
    if (whole_.empty()) reckon_whole();
    return whole_[index(id)];
}

void LogitGains::reckon_whole()
{
    const Graph& graph = network_.graph;
    whole_.assign(graph.nodes().size(), 0);
    whole_[index(graph.output())] = std::sqrt(2.0);
    for (std::size_t i = graph.nodes().size() - 1; i > 0; --i)
    {
        const Node& node = graph.nodes()[i];
        double gain = plain_gain(node.operation, forms_[index(node.inputs[0])].pixels()) * whole_[i];
        if (std::holds_alternative<Conv2dOp>(node.operation) ||
            std::holds_alternative<LinearOp>(node.operation))
        {
            const Parameter& weight = network_.parameter(node.name + ".weight");
            const std::int64_t rows = weight.shape()[0];
            const std::int64_t columns = elements(weight.shape()) / rows;
            const auto* conv = std::get_if<Conv2dOp>(&node.operation);
            if (conv == nullptr && i == index(graph.output()))
                gain = largest_difference(weight.values(), rows, columns);
            else
            {
                // The groups of a convolution act on different channels: the norm is the largest one's.
                const std::int64_t groups = conv != nullptr ? conv->groups : 1;
                double norm = 0;
                for (std::int64_t g = 0; g < groups; ++g)
                {
                    norm = std::max(norm, spectral_norm_bound(columns_of(weight.values(), g * (rows / groups),
                                                                         rows / groups, columns, 0, columns),
                                                              rows / groups, columns));
                }
                gain = norm * whole_[i] *
                       static_cast<double>(conv != nullptr ? overlap(conv->kernel, conv->stride) : 1);
            }
        }
        else if (std::holds_alternative<BatchNormOp>(node.operation))
        {
            gain = *std::max_element(norm_factors_[i].begin(), norm_factors_[i].end()) * whole_[i];
        }
        for (const NodeId input : node.inputs)
            whole_[index(input)] += gain;
    }
}

/// What a consumer makes of a unit change of one channel of `changed`, at the logits.
double LogitGains::of_channel(NodeId consumer, const ChangeFlow& flow, NodeId changed, std::int64_t channel,
                              const std::vector<std::vector<double>>& known)
{
    const Node& node = network_.graph.node(consumer);
    if (const auto* conv = std::get_if<Conv2dOp>(&node.operation))
    {
        const Parameter& weight = network_.parameter(node.name + ".weight");
        const std::int64_t rows = conv->out_channels / conv->groups;
        const std::int64_t inputs = conv->in_channels / conv->groups;
        const std::int64_t window = conv->kernel * conv->kernel;
        return spectral_norm_bound(columns_of(weight.values(), channel / inputs * rows, rows, inputs * window,
                                              channel % inputs * window, window),
                                   rows, window) *
               static_cast<double>(overlap(conv->kernel, conv->stride)) * of_whole(consumer);
    }
    if (std::holds_alternative<LinearOp>(node.operation))
    {
        const Parameter& weight = network_.parameter(node.name + ".weight");
        const std::int64_t pixels = forms_[index(changed)].pixels();
        const std::vector<float> part =
            columns_of(weight.values(), 0, weight.shape()[0], weight.shape()[1], channel * pixels, pixels);
        if (consumer == network_.graph.output() && pixels == 1)
            return largest_difference(part, weight.shape()[0], 1);
        return spectral_norm_bound(part, weight.shape()[0], pixels) * of_whole(consumer);
    }
    const bool alone = flow.extent[index(consumer)] == Extent::channel;
    const std::int64_t at = channel + flow.shift[index(consumer)] - flow.shift[index(changed)];
    const double behind = alone ? known[index(consumer)][static_cast<std::size_t>(at)] : of_whole(consumer);
    if (std::holds_alternative<BatchNormOp>(node.operation))
    {
        // Of a flattened map, each pixel has a factor of its own.
        const std::int64_t factors = node.shape.size() == 1 ? forms_[index(changed)].pixels() : 1;
        const auto first = norm_factors_[index(consumer)].begin() + channel * factors;
        return *std::max_element(first, first + factors) * behind;
    }
    return plain_gain(node.operation, forms_[index(changed)].pixels()) * behind;
}

std::vector<double> LogitGains::of_layer(const ChangeFlow& flow, NodeId layer)
{
    std::vector<std::vector<double>> gain(flow.extent.size());
    for (std::size_t i = flow.extent.size(); i-- > index(layer);)
    {
        if (flow.extent[i] != Extent::channel) continue;
        const NodeId id(static_cast<std::int32_t>(i));
        // One logit alone moves, unless the logits are a flattened map.
        const double of_output = forms_[i].pixels() == 1 ? 1 : std::sqrt(2.0);
        gain[i].assign(static_cast<std::size_t>(forms_[i].channels),
                       id == network_.graph.output() ? of_output : 0);
        const std::int64_t first = flow.shift[i];
        const std::int64_t end = first + forms_[index(layer)].channels;
        for (std::int64_t c = first; c < end; ++c)
        {
            for (const NodeId consumer : consumers_[i])
                gain[i][static_cast<std::size_t>(c)] += of_channel(consumer, flow, id, c, gain);
        }
    }
    return gain[index(layer)];
}

}  // namespace flipstorm
