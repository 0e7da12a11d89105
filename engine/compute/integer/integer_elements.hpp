#pragma once
// Members of IntegerImage: what one element of each operation is, products aside. Included by
// integer_image.cpp alone.

#include <algorithm>

#include "engine/compute/integer/integer_image.hpp"

namespace flipstorm
{

template<class Word>
template<class Op>
void IntegerImage<Word>::element_rows(const Op& op, NodeId id, std::int64_t top, std::int64_t bottom,
                                      const Arrays& arrays)
{
    const IntegerPlace& to = place(id);
    const CodeLimits limits = layer(id).node.limits;
    for (std::int64_t y = top; y < bottom; ++y)
    {
        for (std::int64_t x = 0; x < to.form.width; ++x)
        {
            Word* const out = arrays.values.data() + to.at(y, x);
            for (std::int64_t c = 0; c < to.form.channels; ++c)
                out[c] = word(limits(element_of(op, id,
                                                {static_cast<std::uint16_t>(y), static_cast<std::uint16_t>(x),
                                                 static_cast<std::uint32_t>(c)},
                                                arrays.values.data())));
        }
    }
}

template<class Word>
std::int64_t IntegerImage<Word>::element_of(const BatchNormOp& /*op*/, NodeId id, IntegerAt at,
                                            const Word* values) const
{
    return layer(id).node.rescale[at.channel](input_code(id, 0, values, at.y, at.x, at.channel));
}

template<class Word>
std::int64_t IntegerImage<Word>::element_of(const ReluOp& /*op*/, NodeId id, IntegerAt at,
                                            const Word* values) const
{
    return std::max(input_code(id, 0, values, at.y, at.x, at.channel), 0);
}

template<class Word>
std::int64_t IntegerImage<Word>::element_of(const Relu6Op& /*op*/, NodeId id, IntegerAt at,
                                            const Word* values) const
{
    const std::int64_t x = input_code(id, 0, values, at.y, at.x, at.channel);
    return std::clamp<std::int64_t>(x, 0, layer(id).node.ceiling);
}

template<class Word>
std::int64_t IntegerImage<Word>::element_of(const MaxPool2dOp& op, NodeId id, IntegerAt at,
                                            const Word* values) const
{
    const ValueForm& in = place(node(id).inputs[0]).form;
    const std::int64_t top = at.y * op.stride - op.padding;
    const std::int64_t left = at.x * op.stride - op.padding;
    std::int64_t most = code_limits(32).low;
    for (std::int64_t y = std::max<std::int64_t>(top, 0); y < std::min(top + op.kernel, in.height); ++y)
    {
        for (std::int64_t x = std::max<std::int64_t>(left, 0); x < std::min(left + op.kernel, in.width); ++x)
            most = std::max<std::int64_t>(most, input_code(id, 0, values, y, x, at.channel));
    }
    return most;
}

template<class Word>
std::int64_t IntegerImage<Word>::mean_of(NodeId id, IntegerAt at, const Word* values, std::int64_t y0,
                                         std::int64_t y1, std::int64_t x0, std::int64_t x1) const
{
    std::int64_t sum = 0;
    for (std::int64_t y = y0; y < y1; ++y)
    {
        for (std::int64_t x = x0; x < x1; ++x)
            sum += input_code(id, 0, values, y, x, at.channel);
    }
    return layer(id).node.rescale[0](sum);
}

template<class Word>
std::int64_t IntegerImage<Word>::element_of(const AvgPool2dOp& op, NodeId id, IntegerAt at,
                                            const Word* values) const
{
    return mean_of(id, at, values, at.y * op.stride, at.y * op.stride + op.kernel, at.x * op.stride,
                   at.x * op.stride + op.kernel);
}

template<class Word>
std::int64_t IntegerImage<Word>::element_of(const GlobalAvgPoolOp& /*op*/, NodeId id, IntegerAt at,
                                            const Word* values) const
{
    const ValueForm& in = place(node(id).inputs[0]).form;
    return mean_of(id, at, values, 0, in.height, 0, in.width);
}

template<class Word>
std::int64_t IntegerImage<Word>::element_of(const AddOp& /*op*/, NodeId id, IntegerAt at,
                                            const Word* values) const
{
    const std::vector<Rescale>& by = layer(id).node.rescale;
    return rounded_shift(std::int64_t{input_code(id, 0, values, at.y, at.x, at.channel)} * by[0].factor +
                             std::int64_t{input_code(id, 1, values, at.y, at.x, at.channel)} * by[1].factor,
                         by[0].shift);
}

template<class Word>
std::int64_t IntegerImage<Word>::element_of(const PadOp& op, NodeId id, IntegerAt at,
                                            const Word* values) const
{
    const ValueForm& in = place(node(id).inputs[0]).form;
    const std::int64_t c = static_cast<std::int64_t>(at.channel) - op.channels_before;
    const std::int64_t y = at.y - op.top;
    const std::int64_t x = at.x - op.left;
    const bool inside = c >= 0 && c < in.channels && y >= 0 && y < in.height && x >= 0 && x < in.width;
    return inside ? input_code(id, 0, values, y, x, c) : 0;
}

template<class Word>
std::int64_t IntegerImage<Word>::element_of(const SliceOp& op, NodeId id, IntegerAt at,
                                            const Word* values) const
{
    const auto along = [&op](std::int64_t dimension, std::int64_t i) {
        return dimension == op.dimension ? op.start + i * op.step : i;
    };
    return input_code(id, 0, values, along(1, at.y), along(2, at.x), along(0, at.channel));
}

template<class Word>
std::int64_t IntegerImage<Word>::element_of(const ConcatOp& /*op*/, NodeId id, IntegerAt at,
                                            const Word* values) const
{
    std::size_t input = 0;
    std::int64_t c = at.channel;
    while (c >= place(node(id).inputs[input]).form.channels)
    {
        c -= place(node(id).inputs[input]).form.channels;
        ++input;
    }
    return layer(id).node.rescale[input](input_code(id, input, values, at.y, at.x, c));
}

template<class Word>
std::int64_t IntegerImage<Word>::element_of(const SigmoidOp& /*op*/, NodeId id, IntegerAt at,
                                            const Word* values) const
{
    const CodeLimits codes = code_limits(model_.network().node(node(id).inputs[0]).bits);
    const std::int64_t x = input_code(id, 0, values, at.y, at.x, at.channel);
    return layer(id).node.table[static_cast<std::size_t>(x - codes.low)];
}

template<class Word>
std::int64_t IntegerImage<Word>::element_of(const SiluOp& /*op*/, NodeId id, IntegerAt at,
                                            const Word* values) const
{
    return element_of(SigmoidOp{}, id, at, values);
}

/// One of the two may be one pixel for all of the other's.
template<class Word>
std::int64_t IntegerImage<Word>::element_of(const MulOp& /*op*/, NodeId id, IntegerAt at,
                                            const Word* values) const
{
    const IntegerNode& of = layer(id).node;
    std::int64_t factors[2] = {};
    for (std::size_t k = 0; k < 2; ++k)
    {
        const bool one = place(node(id).inputs[k]).form.pixels() == 1;
        factors[k] = input_code(id, k, values, one ? 0 : at.y, one ? 0 : at.x, at.channel);
    }
    return of.rescale[0](rounded_product(factors[0], factors[1], of.dropped));
}

}  // namespace flipstorm
