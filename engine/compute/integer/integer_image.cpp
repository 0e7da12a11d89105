#include "engine/compute/integer/integer_image.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "engine/compute/integer/integer_channel.hpp"
#include "engine/compute/integer/integer_elements.hpp"
#include "engine/compute/integer/integer_follow.hpp"
#include "engine/compute/integer/integer_steps.hpp"

namespace flipstorm
{

template<class Word>
IntegerImage<Word>::IntegerImage(const IntegerModel<Word>& model)
    : model_(model),
      golden_(static_cast<std::size_t>(model.words()), static_cast<Word>(WordTraits<Word>::kZero)),
      now_(golden_),
      golden_sums_(static_cast<std::size_t>(model.sums()), 0),
      sums_(golden_sums_),
      changes_(model.graph().nodes().size()),
      maps_(changes_.size())
{
    std::int64_t pixels = 0;
    for (std::size_t i = 0; i < changes_.size(); ++i)
        pixels = std::max(pixels, place(NodeId(static_cast<std::int32_t>(i))).form.pixels());
    touched_.assign(static_cast<std::size_t>(pixels), 0);
    std::int64_t channels = 0;
    for (const ValueForm& form : model.network().forms)
        channels = std::max(channels, form.channels);
    once_.assign(static_cast<std::size_t>(channels), 0);
    no_sums_.assign(static_cast<std::size_t>(integer_padded(channels)), 0);
    const auto classes = static_cast<std::size_t>(model.graph().node(model.graph().output()).shape[0]);
    golden_wide_.assign(classes, 0);
    wide_ = golden_wide_;
    golden_logits_.assign(classes, 0);
    logits_ = golden_logits_;
}

template<class Word>
std::uint64_t IntegerImage<Word>::bytes(const IntegerModel<Word>& model)
{
    // Golden and changed, and words as maps of their channels.
    return 3 * static_cast<std::uint64_t>(model.words()) * sizeof(Word) +
           2 * static_cast<std::uint64_t>(model.sums()) * sizeof(Sum);
}

template<class Word>
void IntegerImage<Word>::load(const float* image)
{
    compute_golden(image);
    now_ = golden_;
    wide_ = golden_wide_;
    ++load_;
    gathered_node_ = NodeId(-1);
    others_node_ = NodeId(-1);
}

template<class Word>
const std::vector<float>& IntegerImage<Word>::full_pass(const float* image, NodeId id,
                                                        const IntegerLayer<Word>& other)
{
    other_ = &other;
    other_node_ = id;
    compute_golden(image);
    other_ = nullptr;
    return golden_logits_;
}

template<class Word>
void IntegerImage<Word>::compute_golden(const float* image)
{
    const IntegerNetwork& network = model_.network();
    const NodeId input(0);
    const IntegerPlace& to = place(input);
    const CodeLimits limits = network.node(input).limits;
    for (std::int64_t c = 0; c < to.form.channels; ++c)
    {
        for (std::int64_t y = 0; y < to.form.height; ++y)
        {
            for (std::int64_t x = 0; x < to.form.width; ++x, ++image)
                golden_[static_cast<std::size_t>(to.at(y, x) + c)] = word(
                    code_of(static_cast<double>(*image), static_cast<double>(network.input_scale), limits));
        }
    }
    const Arrays arrays{golden_, golden_sums_, golden_wide_};
    for (std::size_t i = 1; i < changes_.size(); ++i)
    {
        const NodeId id(static_cast<std::int32_t>(i));
        compute_rows(id, 0, place(id).form.height, arrays);
    }
    read_logits(arrays, golden_logits_);
}

template<class Word>
void IntegerImage<Word>::read_logits(const Arrays& arrays, std::vector<float>& logits) const
{
    const NodeId output = model_.graph().output();
    const float scale = model_.network().logit_scale;
    for (std::size_t k = 0; k < logits.size(); ++k)
    {
        const std::int32_t of_class =
            model_.is_wide(output)
                ? arrays.wide[k]
                : code(arrays.values[static_cast<std::size_t>(place(output).at(0, 0)) + k]);
        logits[k] = static_cast<float>(of_class) * scale;
    }
}

template<class Word>
std::int32_t IntegerImage<Word>::golden_code(NodeId id, IntegerAt at) const
{
    return model_.is_wide(id) ? golden_wide_[at.channel]
                              : code(golden_[static_cast<std::size_t>(position(id, at))]);
}

template<class Word>
void IntegerImage<Word>::compute_rows(NodeId id, std::int64_t top, std::int64_t bottom, const Arrays& arrays)
{
    std::visit([&](const auto& op) { rows_of(op, id, top, bottom, arrays); }, node(id).operation);
}

template<class Word>
void IntegerImage<Word>::rows_of(const InputOp& /*op*/, NodeId /*id*/, std::int64_t /*top*/,
                                 std::int64_t /*bottom*/, const Arrays& /*arrays*/)
{}

/// The sums and codes of a row of a product, from the first pixel that its first window reads.
template<class Word>
void IntegerImage<Word>::product_row(NodeId id, const Word* in, std::ptrdiff_t in_step, std::int64_t y,
                                     const Arrays& arrays)
{
    using Traits = WordTraits<Word>;
    const IntegerLayer<Word>& of = layer(id);
    const std::int64_t width = place(id).form.width;
    Sum* const sums = arrays.sums.data() + model_.sums_at(id) + y * width * of.sum_channels;
    IntegerProduct<Word> product;
    product.in_step = in_step;
    product.steps = of.steps.data();
    product.step_count = static_cast<std::int64_t>(of.steps.size());
    product.block_weights = product.step_count * kIntegerLanes * Traits::kGroup * Traits::kWeightParts;
    product.out_step = of.sum_channels;
    product.pixels = width;
    product.blocks = of.blocks;
    product.dropped = of.node.dropped;
    for (std::int64_t g = 0; g < of.groups; ++g)
    {
        product.in = in + g * of.group_inputs;
        product.weights = of.weights->data() + g * of.blocks * product.block_weights;
        product.start = of.start.data() + g * of.blocks * kIntegerLanes;
        product.out = sums + g * of.group_outputs;
        model_.kernels().product(product);
    }
    codes_of_sums(id, y, 0, width, arrays);
}

template<class Word>
void IntegerImage<Word>::codes_of_sums(NodeId id, std::int64_t y, std::int64_t x, std::int64_t pixels,
                                       const Arrays& arrays)
{
    const IntegerLayer<Word>& of = layer(id);
    const IntegerPlace& to = place(id);
    const Sum* const sums =
        arrays.sums.data() + model_.sums_at(id) + (y * to.form.width + x) * of.sum_channels;
    if (model_.is_wide(id))
    {
        const std::vector<Rescale>& rescale = of.node.rescale;
        for (std::size_t o = 0; o < arrays.wide.size(); ++o)
            arrays.wide[o] = static_cast<std::int32_t>(of.node.limits(rescale[o](sums[o])));
        return;
    }
    Word* const codes = arrays.values.data() + to.at(y, x);
    if (of.sum_channels == to.channels)
        return model_.kernels().rescale(sums, of.rescale, codes, pixels, to.channels);
    for (std::int64_t p = 0; p < pixels; ++p)
        model_.kernels().rescale(sums + p * of.sum_channels, of.rescale, codes + p * to.channels, 1,
                                 to.channels);
}

template<class Word>
void IntegerImage<Word>::rows_of(const Conv2dOp& op, NodeId id, std::int64_t top, std::int64_t bottom,
                                 const Arrays& arrays)
{
    const IntegerPlace& in = place(node(id).inputs[0]);
    for (std::int64_t y = top; y < bottom; ++y)
        product_row(id, arrays.values.data() + in.at(y * op.stride - op.padding, -op.padding),
                    op.stride * in.channels, y, arrays);
}

template<class Word>
void IntegerImage<Word>::rows_of(const LinearOp& /*op*/, NodeId id, std::int64_t /*top*/,
                                 std::int64_t /*bottom*/, const Arrays& arrays)
{
    product_row(id, arrays.values.data() + place(node(id).inputs[0]).at(0, 0), 0, 0, arrays);
}

template<class Word>
void IntegerImage<Word>::rows_of(const BatchNormOp& /*op*/, NodeId id, std::int64_t top, std::int64_t bottom,
                                 const Arrays& arrays)
{
    const IntegerPlace& in = place(node(id).inputs[0]);
    const IntegerPlace& to = place(id);
    for (std::int64_t y = top; y < bottom; ++y)
        model_.kernels().rescale_codes(arrays.values.data() + in.at(y, 0), layer(id).rescale,
                                       arrays.values.data() + to.at(y, 0), to.form.width, to.channels);
}

template<class Word>
void IntegerImage<Word>::rows_of(const ReluOp& /*op*/, NodeId id, std::int64_t top, std::int64_t bottom,
                                 const Arrays& arrays)
{
    relu_rows(id, top, bottom, std::numeric_limits<Word>::max(), arrays);
}

template<class Word>
void IntegerImage<Word>::rows_of(const Relu6Op& /*op*/, NodeId id, std::int64_t top, std::int64_t bottom,
                                 const Arrays& arrays)
{
    relu_rows(id, top, bottom, word(layer(id).node.ceiling), arrays);
}

template<class Word>
void IntegerImage<Word>::relu_rows(NodeId id, std::int64_t top, std::int64_t bottom, Word ceiling,
                                   const Arrays& arrays)
{
    const IntegerPlace& in = place(node(id).inputs[0]);
    const IntegerPlace& to = place(id);
    for (std::int64_t y = top; y < bottom; ++y)
        model_.kernels().relu(arrays.values.data() + in.at(y, 0), ceiling, arrays.values.data() + to.at(y, 0),
                              to.form.width * to.channels);
}

template<class Word>
void IntegerImage<Word>::rows_of(const MaxPool2dOp& op, NodeId id, std::int64_t top, std::int64_t bottom,
                                 const Arrays& arrays)
{
    const IntegerPlace& in = place(node(id).inputs[0]);
    const IntegerPlace& to = place(id);
    IntegerPool2d<Word> pool;
    pool.row = in.row;
    pool.step = op.stride * in.channels;
    pool.channels = in.channels;
    for (std::int64_t y = top; y < bottom; ++y)
    {
        const std::int64_t first_row = std::max<std::int64_t>(y * op.stride - op.padding, 0);
        pool.rows = std::min(y * op.stride - op.padding + op.kernel, in.form.height) - first_row;
        // Windows that lie within the columns go together.
        for (std::int64_t x = 0; x < to.form.width; x += pool.pixels)
        {
            const std::int64_t left = x * op.stride - op.padding;
            const std::int64_t first = std::max<std::int64_t>(left, 0);
            pool.columns = std::min(left + op.kernel, in.form.width) - first;
            pool.pixels = 1;
            if (pool.columns == op.kernel)
                pool.pixels = std::min((in.form.width - op.kernel - left) / op.stride + 1, to.form.width - x);
            pool.in = arrays.values.data() + in.at(first_row, first);
            pool.out = arrays.values.data() + to.at(y, x);
            model_.kernels().max_pool(pool);
        }
    }
}

template<class Word>
void IntegerImage<Word>::rows_of(const AvgPool2dOp& op, NodeId id, std::int64_t top, std::int64_t bottom,
                                 const Arrays& arrays)
{
    element_rows(op, id, top, bottom, arrays);
}

template<class Word>
void IntegerImage<Word>::rows_of(const GlobalAvgPoolOp& /*op*/, NodeId id, std::int64_t top,
                                 std::int64_t bottom, const Arrays& arrays)
{
    static_cast<void>(top);  // one row
    static_cast<void>(bottom);
    const IntegerPlace& in = place(node(id).inputs[0]);
    const IntegerPlace& to = place(id);
    const IntegerNode& of = layer(id).node;
    pooled_.assign(static_cast<std::size_t>(to.form.channels), 0);
    for (std::int64_t y = 0; y < in.form.height; ++y)
    {
        const Word* pixel = arrays.values.data() + in.at(y, 0);
        for (std::int64_t x = 0; x < in.form.width; ++x, pixel += in.channels)
        {
            for (std::size_t c = 0; c < pooled_.size(); ++c)
                pooled_[c] += code(pixel[c]);
        }
    }
    Word* const codes = arrays.values.data() + to.at(0, 0);
    for (std::size_t c = 0; c < pooled_.size(); ++c)
        codes[c] = word(of.limits(of.rescale[0](pooled_[c])));
}

template<class Word>
void IntegerImage<Word>::rows_of(const AddOp& /*op*/, NodeId id, std::int64_t top, std::int64_t bottom,
                                 const Arrays& arrays)
{
    const IntegerPlace& a = place(node(id).inputs[0]);
    const IntegerPlace& b = place(node(id).inputs[1]);
    const IntegerPlace& to = place(id);
    const IntegerLayer<Word>& of = layer(id);
    for (std::int64_t y = top; y < bottom; ++y)
        model_.kernels().add(arrays.values.data() + a.at(y, 0), arrays.values.data() + b.at(y, 0),
                             of.of_input[0], of.of_input[1], arrays.values.data() + to.at(y, 0),
                             to.form.width * to.channels);
}

template<class Word>
void IntegerImage<Word>::rows_of(const PadOp& op, NodeId id, std::int64_t top, std::int64_t bottom,
                                 const Arrays& arrays)
{
    const IntegerPlace& in = place(node(id).inputs[0]);
    const IntegerPlace& to = place(id);
    Word* const values = arrays.values.data();
    for (std::int64_t y = top; y < bottom; ++y)
    {
        std::fill_n(values + to.at(y, 0), to.form.width * to.channels, word(0));
        const std::int64_t from = y - op.top;
        if (from < 0 || from >= in.form.height) continue;
        for (std::int64_t x = std::max<std::int64_t>(-op.left, 0);
             x < std::min(in.form.width, to.form.width - op.left); ++x)
        {
            const std::int64_t first = std::max<std::int64_t>(-op.channels_before, 0);
            const std::int64_t end = std::min(in.form.channels, to.form.channels - op.channels_before);
            if (first < end)
                std::copy_n(values + in.at(from, x) + first, end - first,
                            values + to.at(y, x + op.left) + op.channels_before + first);
        }
    }
}

template<class Word>
void IntegerImage<Word>::rows_of(const SliceOp& op, NodeId id, std::int64_t top, std::int64_t bottom,
                                 const Arrays& arrays)
{
    const IntegerPlace& in = place(node(id).inputs[0]);
    const IntegerPlace& to = place(id);
    const auto along = [&op](std::int64_t dimension, std::int64_t i) {
        return dimension == op.dimension ? op.start + i * op.step : i;
    };
    for (std::int64_t y = top; y < bottom; ++y)
    {
        for (std::int64_t x = 0; x < to.form.width; ++x)
        {
            const Word* const from = arrays.values.data() + in.at(along(1, y), along(2, x));
            Word* const pixel = arrays.values.data() + to.at(y, x);
            if (op.dimension != 0)
                std::copy_n(from, to.form.channels, pixel);
            else
            {
                for (std::int64_t c = 0; c < to.form.channels; ++c)
                    pixel[c] = from[along(0, c)];
            }
        }
    }
}

template<class Word>
void IntegerImage<Word>::rows_of(const ConcatOp& op, NodeId id, std::int64_t top, std::int64_t bottom,
                                 const Arrays& arrays)
{
    element_rows(op, id, top, bottom, arrays);
}

/// It lies where its input does.
template<class Word>
void IntegerImage<Word>::rows_of(const FlattenOp& /*op*/, NodeId /*id*/, std::int64_t /*top*/,
                                 std::int64_t /*bottom*/, const Arrays& /*arrays*/)
{}

template<class Word>
void IntegerImage<Word>::rows_of(const SigmoidOp& op, NodeId id, std::int64_t top, std::int64_t bottom,
                                 const Arrays& arrays)
{
    element_rows(op, id, top, bottom, arrays);
}

template<class Word>
void IntegerImage<Word>::rows_of(const SiluOp& op, NodeId id, std::int64_t top, std::int64_t bottom,
                                 const Arrays& arrays)
{
    element_rows(op, id, top, bottom, arrays);
}

template<class Word>
void IntegerImage<Word>::rows_of(const MulOp& op, NodeId id, std::int64_t top, std::int64_t bottom,
                                 const Arrays& arrays)
{
    element_rows(op, id, top, bottom, arrays);
}

template class IntegerImage<std::uint8_t>;
template class IntegerImage<std::int16_t>;
template class IntegerImage<std::int32_t>;

}  // namespace flipstorm
