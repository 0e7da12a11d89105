#pragma once
// Networks of whole numbers computed in the most obvious way: the oracle of the kernels.

#include <algorithm>
#include <vector>

#include "engine/compute/integer/integer_network.hpp"

namespace flipstorm::test
{

/// Codes of a value, [channels][rows][columns].
struct NaiveValue
{
    Shape shape;  ///< of three dimensions
    std::vector<std::int64_t> codes;

    explicit NaiveValue(const Shape& of)
        : shape(of.size() == 3 ? of : Shape{of[0], 1, 1}), codes(static_cast<std::size_t>(elements(of)), 0)
    {}
    [[nodiscard]] std::int64_t& at(std::int64_t c, std::int64_t y, std::int64_t x)
    {
        return codes[static_cast<std::size_t>((c * shape[1] + y) * shape[2] + x)];
    }
    [[nodiscard]] std::int64_t at(std::int64_t c, std::int64_t y, std::int64_t x) const
    {
        return codes[static_cast<std::size_t>((c * shape[1] + y) * shape[2] + x)];
    }
    [[nodiscard]] std::int64_t or_zero(std::int64_t c, std::int64_t y, std::int64_t x) const
    {
        return c < 0 || c >= shape[0] || y < 0 || y >= shape[1] || x < 0 || x >= shape[2] ? 0 : at(c, y, x);
    }
};

/// One element of a node that is no product.
struct NaiveElement
{
    const IntegerNetwork& network;
    const Node& node;
    const IntegerNode& of;
    const std::vector<NaiveValue>& values;
    std::int64_t c, y, x;

    [[nodiscard]] const NaiveValue& in(std::size_t k = 0) const { return values[index(node.inputs[k])]; }
    [[nodiscard]] std::int64_t mean(std::int64_t y0, std::int64_t y1, std::int64_t x0, std::int64_t x1) const
    {
        std::int64_t sum = 0;
        for (std::int64_t v = y0; v < y1; ++v)
        {
            for (std::int64_t u = x0; u < x1; ++u)
                sum += in().at(c, v, u);
        }
        return of.rescale[0](sum);
    }

    std::int64_t operator()(const InputOp&) const { return 0; }
    std::int64_t operator()(const Conv2dOp& op) const
    {
        const std::int64_t inputs = op.in_channels / op.groups;
        const std::int64_t group = c / (op.out_channels / op.groups);
        std::int64_t sum = of.bias[static_cast<std::size_t>(c)];
        for (std::int64_t i = 0; i < inputs; ++i)
        {
            for (std::int64_t kh = 0; kh < op.kernel; ++kh)
            {
                for (std::int64_t kw = 0; kw < op.kernel; ++kw)
                {
                    const auto w =
                        static_cast<std::size_t>(((c * inputs + i) * op.kernel + kh) * op.kernel + kw);
                    sum += rounded_product(
                        of.weights[w],
                        in().or_zero(group * inputs + i, y * op.stride - op.padding + kh * op.dilation,
                                     x * op.stride - op.padding + kw * op.dilation),
                        of.dropped);
                }
            }
        }
        return of.rescale[static_cast<std::size_t>(c)](sum);
    }
    std::int64_t operator()(const LinearOp& op) const
    {
        std::int64_t sum = of.bias[static_cast<std::size_t>(c)];
        for (std::int64_t i = 0; i < op.in_features; ++i)
            sum += rounded_product(of.weights[static_cast<std::size_t>(c * op.in_features + i)],
                                   in().codes[static_cast<std::size_t>(i)], of.dropped);
        return of.rescale[static_cast<std::size_t>(c)](sum);
    }
    std::int64_t operator()(const BatchNormOp&) const
    {
        return of.rescale[static_cast<std::size_t>(c)](in().at(c, y, x));
    }
    std::int64_t operator()(const ReluOp&) const { return std::max<std::int64_t>(in().at(c, y, x), 0); }
    std::int64_t operator()(const Relu6Op&) const
    {
        return std::min(std::max<std::int64_t>(in().at(c, y, x), 0), of.ceiling);
    }
    std::int64_t operator()(const MaxPool2dOp& op) const
    {
        std::int64_t most = -(std::int64_t{1} << 40);
        for (std::int64_t kh = 0; kh < op.kernel; ++kh)
        {
            for (std::int64_t kw = 0; kw < op.kernel; ++kw)
            {
                const std::int64_t v = y * op.stride - op.padding + kh;
                const std::int64_t u = x * op.stride - op.padding + kw;
                if (v >= 0 && v < in().shape[1] && u >= 0 && u < in().shape[2])
                    most = std::max(most, in().at(c, v, u));
            }
        }
        return most;
    }
    std::int64_t operator()(const AvgPool2dOp& op) const
    {
        return mean(y * op.stride, y * op.stride + op.kernel, x * op.stride, x * op.stride + op.kernel);
    }
    std::int64_t operator()(const GlobalAvgPoolOp&) const { return mean(0, in().shape[1], 0, in().shape[2]); }
    std::int64_t operator()(const AddOp&) const
    {
        const Rescale both{1, of.rescale[0].shift, 0};
        return both(in(0).at(c, y, x) * of.rescale[0].factor + in(1).at(c, y, x) * of.rescale[1].factor);
    }
    std::int64_t operator()(const PadOp& op) const
    {
        return in().or_zero(c - op.channels_before, y - op.top, x - op.left);
    }
    std::int64_t operator()(const SliceOp& op) const
    {
        const auto from = [&](std::int64_t dimension, std::int64_t i) {
            return dimension == op.dimension ? op.start + i * op.step : i;
        };
        return in().at(from(0, c), from(1, y), from(2, x));
    }
    std::int64_t operator()(const ConcatOp&) const
    {
        std::size_t k = 0;
        std::int64_t channel = c;
        while (channel >= in(k).shape[0])
            channel -= in(k++).shape[0];
        return of.rescale[k](in(k).at(channel, y, x));
    }
    std::int64_t operator()(const FlattenOp&) const { return in().codes[static_cast<std::size_t>(c)]; }
    std::int64_t operator()(const SigmoidOp&) const
    {
        const std::size_t half = of.table.size() / 2;
        return of.table[static_cast<std::size_t>(in().at(c, y, x) + static_cast<std::int64_t>(half))];
    }
    std::int64_t operator()(const SiluOp&) const { return (*this)(SigmoidOp{}); }
    std::int64_t operator()(const MulOp&) const
    {
        const auto factor = [&](std::size_t k) {
            return in(k).shape[1] == 1 && in(k).shape[2] == 1 ? in(k).at(c, 0, 0) : in(k).at(c, y, x);
        };
        return of.rescale[0](rounded_product(factor(0), factor(1), of.dropped));
    }
};

/// Codes of all nodes. \param image  normalised
inline std::vector<NaiveValue> naive_pass(const IntegerNetwork& network, const float* image)
{
    std::vector<NaiveValue> values;
    for (std::size_t i = 0; i < network.graph.nodes().size(); ++i)
    {
        const Node& node = network.graph.nodes()[i];
        NaiveValue value(node.shape);
        const IntegerNode& of = network.nodes[i];
        for (std::int64_t c = 0; c < value.shape[0]; ++c)
        {
            for (std::int64_t y = 0; y < value.shape[1]; ++y)
            {
                for (std::int64_t x = 0; x < value.shape[2]; ++x)
                {
                    const NaiveElement element{network, node, of, values, c, y, x};
                    value.at(c, y, x) = i == 0 ? code_of(static_cast<double>(*image++),
                                                         static_cast<double>(network.input_scale), of.limits)
                                               : of.limits(std::visit(element, node.operation));
                }
            }
        }
        values.push_back(std::move(value));
    }
    return values;
}

inline std::vector<float> naive_logits(const IntegerNetwork& network, const float* image)
{
    std::vector<float> logits;
    const std::vector<NaiveValue> values = naive_pass(network, image);
    for (const std::int64_t code : values.back().codes)
        logits.push_back(static_cast<float>(code) * network.logit_scale);
    return logits;
}

}  // namespace flipstorm::test
