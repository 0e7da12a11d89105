#include "engine/evaluate/overflow_bound.hpp"

#include <algorithm>
#include <cmath>

#include "engine/evaluate/native_network.hpp"

namespace flipstorm
{
namespace
{

/// Largest sum over rows of |w|, for all columns and for blocks of columns. \param block  columns
struct RowSums
{
    double whole = 0;
    std::vector<double> by_block;

    RowSums(const float* values, std::int64_t rows, std::int64_t columns, std::int64_t block)
        : by_block(static_cast<std::size_t>(columns / block), 0.0)
    {
        for (std::int64_t r = 0; r < rows; ++r)
        {
            double row = 0;
            for (std::size_t b = 0; b < by_block.size(); ++b)
            {
                double sum = 0;
                for (std::int64_t k = 0; k < block; ++k)
                    sum += std::fabs(static_cast<double>(*values++));
                by_block[b] = std::max(by_block[b], sum);
                row += sum;
            }
            whole = std::max(whole, row);
        }
    }
};

}  // namespace

OverflowBound::OverflowBound(const Network& network)
    : graph_(network.graph),
      whole_(graph_.nodes().size(), 1.0),
      gain_(graph_.nodes().size(), 1.0),
      channel_(graph_.nodes().size())
{
    const std::vector<ValueForm> forms = value_forms(graph_);
    for (std::size_t i = 0; i < whole_.size(); ++i)
    {
        const Node& node = graph_.nodes()[i];
        if (const auto* conv = std::get_if<Conv2dOp>(&node.operation))
        {
            const float* const weight = network.parameter(node.name + ".weight").values().data();
            const std::int64_t rows = conv->out_channels / conv->groups;
            const std::int64_t taps = conv->kernel * conv->kernel;
            const std::int64_t columns = conv->in_channels / conv->groups * taps;
            whole_[i] = 0;
            for (std::int64_t g = 0; g < conv->groups; ++g)
            {
                const RowSums sums(weight + g * rows * columns, rows, columns, taps);
                whole_[i] = std::max(whole_[i], sums.whole);
                channel_[i].insert(channel_[i].end(), sums.by_block.begin(), sums.by_block.end());
            }
            gain_[i] = whole_[i];
        }
        else if (const auto* linear = std::get_if<LinearOp>(&node.operation))
        {
            const RowSums sums(network.parameter(node.name + ".weight").values().data(), linear->out_features,
                               linear->in_features, forms[index(node.inputs[0])].pixels());
            whole_[i] = gain_[i] = sums.whole;
            channel_[i] = sums.by_block;
        }
        else if (const auto* norm = std::get_if<BatchNormOp>(&node.operation))
        {
            gain_[i] = 0;
            double division = 0;  // by the standard deviation, which some programs do first
            const std::vector<double> scale = batch_norm_scale(network, node);
            const std::vector<float>& variance = network.parameter(node.name + ".running_var").values();
            for (std::size_t c = 0; c < scale.size(); ++c)
            {
                gain_[i] = std::max(gain_[i], std::fabs(scale[c]));
                division =
                    std::max(division, 1 / std::sqrt(static_cast<double>(variance[c]) + norm->epsilon));
            }
            whole_[i] = std::max(gain_[i], division);
        }
        else if (const auto* mean = std::get_if<AvgPool2dOp>(&node.operation))
            whole_[i] = static_cast<double>(mean->kernel * mean->kernel);
        else if (std::holds_alternative<GlobalAvgPoolOp>(node.operation))
            whole_[i] = static_cast<double>(forms[index(node.inputs[0])].pixels());
        else if (std::holds_alternative<AddOp>(node.operation))
            whole_[i] = gain_[i] = 2;
    }
}

double OverflowBound::through(NodeId start, const std::vector<NodeId>& nodes) const
{
    std::vector<double> size(graph_.nodes().size(), 0.0);
    size[index(start)] = 1;
    double peak = 1;
    for (const NodeId id : nodes)
    {
        double input = 0;
        for (const NodeId in : graph_.node(id).inputs)
            input = std::max(input, size[index(in)]);
        size[index(id)] = gain_[index(id)] * input;
        peak = std::max(peak, whole_[index(id)] * input);
    }
    return peak;
}

}  // namespace flipstorm
