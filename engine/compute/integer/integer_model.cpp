#include "engine/compute/integer/integer_model.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/compute/cpu/value_box.hpp"

namespace flipstorm
{
namespace
{

/// Geometry of a convolution, or of a linear layer, whose "taps" are the pixels of a flattened map.
struct ProductShape
{
    std::int64_t groups = 1;
    std::int64_t group_inputs = 0;
    std::int64_t group_outputs = 0;
    std::int64_t taps = 1;
};

ProductShape shape_of(const Graph& graph, NodeId id, const ValueForm& in)
{
    if (const auto* conv = std::get_if<Conv2dOp>(&graph.node(id).operation))
        return {conv->groups, conv->group_inputs(), conv->group_outputs(), conv->kernel * conv->kernel};
    return {1, in.channels, graph.node(id).shape[0], in.pixels()};
}

/// Operations that act on each channel alone, as a map: links of a chain.
bool acts_by_channel(const Operation& operation)
{
    return std::holds_alternative<BatchNormOp>(operation) || std::holds_alternative<ReluOp>(operation) ||
           std::holds_alternative<Relu6Op>(operation) || std::holds_alternative<MaxPool2dOp>(operation);
}

/// A weight as it is stored, part by part.
template<class Word>
void store_weight(std::int32_t code, typename WordTraits<Word>::Weight* to, std::ptrdiff_t part_step)
{
    using Weight = typename WordTraits<Word>::Weight;
    if constexpr (WordTraits<Word>::kWeightParts == 1)
    {
        static_cast<void>(part_step);
        *to = static_cast<Weight>(code);
    }
    else
    {
        const std::int32_t low = (code & 0xFF) < 128 ? code & 0xFF : (code & 0xFF) - 256;
        *to = static_cast<Weight>(low);
        to[part_step] = static_cast<Weight>((code - low) / 256);
    }
}

IntegerRescale rescale_vectors(const std::vector<Rescale>& rescales, std::int64_t channels,
                               const CodeLimits& limits)
{
    constexpr std::int64_t kMost32 = std::int64_t{1} << 30;
    IntegerRescale result;
    result.low = limits.low;
    result.high = limits.high;
    result.shifts_alone = true;
    result.codes_fit_32 = true;
    for (std::int64_t c = 0; c < integer_padded(channels); ++c)
    {
        const Rescale rescale = c >= channels
                                    ? Rescale{0, 0, 0}
                                    : rescales[rescales.size() == 1 ? 0 : static_cast<std::size_t>(c)];
        const std::int64_t half = rescale.shift == 0 ? 0 : std::int64_t{1} << (rescale.shift - 1);
        const std::int64_t offset = rescale.offset + half;
        const bool fits = offset > -kMost32 && offset < kMost32 && rescale.shift < 31;
        const bool alone = c >= channels || rescale.factor == 1;
        result.shifts_alone = result.shifts_alone && fits && alone;
        result.codes_fit_32 = result.codes_fit_32 && fits;
        result.factor.push_back(rescale.factor);
        result.offset.push_back(offset);
        result.shift.push_back(rescale.shift);
        result.factor32.push_back(rescale.factor);
        result.offset32.push_back(fits ? static_cast<std::int32_t>(offset) : 0);
        result.shift32.push_back(rescale.shift);
        result.factor_real.push_back(rescale.factor);
        result.offset_real.push_back(static_cast<double>(offset));
        result.shift_real.push_back(std::ldexp(1.0, -rescale.shift));
    }
    return result;
}

}  // namespace

bool finds_changes(const Operation& operation)
{
    const auto* const conv = std::get_if<Conv2dOp>(&operation);
    return std::holds_alternative<LinearOp>(operation) || (conv != nullptr && conv->groups == 1);
}

bool has_row_kernel(const Operation& operation)
{
    return acts_by_channel(operation) || std::holds_alternative<AddOp>(operation) ||
           std::holds_alternative<PadOp>(operation) || std::holds_alternative<SliceOp>(operation);
}

template<class Word>
IntegerModel<Word>::IntegerModel(IntegerNetwork network, const IntegerKernels<Word>& kernels)
    : network_(std::move(network)), kernels_(kernels)
{
    FS_REQUIRE(network_.word_bits <= WordTraits<Word>::kBits, "words of {} bits in {}", network_.word_bits,
               WordTraits<Word>::kBits);
    place_values();
    find_chains();
    find_map_readers();
    for (std::size_t i = 0; i < network_.nodes.size(); ++i)
    {
        const NodeId id(static_cast<std::int32_t>(i));
        layers_.push_back(laid_out(id, network_.nodes[i]));
        sums_at_.push_back(sums_);
        if (is_product(graph().node(id).operation))
            sums_ += place(id).form.pixels() * layers_.back().sum_channels;
    }
    find_list_limits();
    find_reaches();
    // Weights are held as they are laid out.
    for (IntegerLayer<Word>& layer : layers_)
        layer.node.weights = {};
    for (IntegerNode& node : network_.nodes)
        node.weights.shrink_to_fit();
}

template<class Word>
void IntegerModel<Word>::place_values()
{
    const Graph& graph = network_.graph;
    std::vector<std::int64_t> frames(graph.nodes().size(), 0);
    for (const Node& node : graph.nodes())
    {
        const auto* conv = std::get_if<Conv2dOp>(&node.operation);
        if (conv == nullptr) continue;
        std::int64_t& frame = frames[index(node.inputs[0])];
        frame = std::max(frame, conv->padding);
    }
    for (std::size_t i = 0; i < graph.nodes().size(); ++i)
    {
        const Node& node = graph.nodes()[i];
        if (std::holds_alternative<FlattenOp>(node.operation))
        {
            places_.push_back(places_[index(node.inputs[0])]);
            continue;
        }
        IntegerPlace place;
        place.form = network_.forms[i];
        place.offset = words_;
        place.frame = frames[i];
        place.channels = integer_padded(place.form.channels);
        place.row = (place.form.width + 2 * place.frame) * place.channels;
        words_ += place.words();
        places_.push_back(place);
    }
    words_ += kIntegerLanes;  // behind the last value, vectors are read whole
}

template<class Word>
void IntegerModel<Word>::find_chains()
{
    const Graph& graph = network_.graph;
    const std::vector<std::vector<NodeId>> consumers = consumers_of(graph);
    const auto next_of = [&](std::size_t at) -> const NodeId* {
        if (consumers[at].size() != 1) return nullptr;
        const Operation& operation = graph.node(consumers[at].front()).operation;
        return acts_by_channel(operation) ? &consumers[at].front() : nullptr;
    };
    for (std::size_t i = 0; i < graph.nodes().size(); ++i)
    {
        std::vector<NodeId>& chain = chains_.emplace_back();
        if (!std::holds_alternative<Conv2dOp>(graph.nodes()[i].operation)) continue;
        for (const NodeId* next = next_of(i); next != nullptr; next = next_of(index(*next)))
            chain.push_back(*next);
    }
    for (std::size_t i = 0; i < graph.nodes().size(); ++i)
    {
        const auto takes_rows = [&](NodeId consumer) {
            const Operation* operation = &graph.node(consumer).operation;
            while (std::holds_alternative<FlattenOp>(*operation) && consumers[index(consumer)].size() == 1)
            {
                consumer = consumers[index(consumer)].front();
                operation = &graph.node(consumer).operation;
            }
            return has_row_kernel(*operation) || finds_changes(*operation);
        };
        compared_later_.push_back(!consumers[i].empty() &&
                                  std::all_of(consumers[i].begin(), consumers[i].end(), takes_rows));
    }
}

template<class Word>
void IntegerModel<Word>::find_map_readers()
{
    const Graph& graph = network_.graph;
    const std::vector<std::vector<NodeId>> consumers = consumers_of(graph);
    map_readers_.assign(graph.nodes().size(), NodeId(-1));
    reads_maps_.assign(graph.nodes().size(), false);
    for (std::size_t i = 0; i < graph.nodes().size(); ++i)
    {
        if (!std::holds_alternative<Conv2dOp>(graph.nodes()[i].operation)) continue;
        std::size_t at = index(end_of_chain(NodeId(static_cast<std::int32_t>(i))));
        while (consumers[at].size() == 1 &&
               std::holds_alternative<FlattenOp>(graph.node(consumers[at].front()).operation))
            at = index(consumers[at].front());
        if (consumers[at].size() != 1) continue;
        const NodeId reader = consumers[at].front();
        const auto* const conv = std::get_if<Conv2dOp>(&graph.node(reader).operation);
        const bool fits = conv != nullptr ? conv->groups == 1 && conv->dilation == 1
                                          : std::holds_alternative<LinearOp>(graph.node(reader).operation) &&
                                                network_.forms[at].pixels() > 1;
        if (!fits || is_wide(reader)) continue;
        map_readers_[i] = reader;
        reads_maps_[index(reader)] = true;
    }
}

/// Of how many elements of its input a convolution's columns are less work than the convolution.
template<class Word>
std::int64_t IntegerModel<Word>::most_columns(NodeId id) const
{
    constexpr std::int64_t kOfColumn = 4;  // in steps of the product kernel
    constexpr std::int64_t kOfPixel = 6;
    const IntegerLayer<Word>& of = layer(id);
    const std::int64_t whole =
        place(id).form.pixels() * (static_cast<std::int64_t>(of.steps.size()) + kOfPixel);
    return whole / (of.taps * kOfColumn);
}

template<class Word>
void IntegerModel<Word>::find_reaches()
{
    for (const Node& node : graph().nodes())
    {
        std::vector<IntegerReach>& reaches = reaches_.emplace_back();
        const ValueForm& form = network_.forms[reaches_.size() - 1];
        for (const NodeId input : node.inputs)
        {
            const ValueForm& in = network_.forms[index(input)];
            // One pixel, multiplied or added to all.
            const bool spread = in.pixels() == 1 && form.pixels() > 1;
            IntegerReach& reach = reaches.emplace_back();
            for (std::int64_t y = 0; y < in.height; ++y)
            {
                const Box rows =
                    spread ? whole_box(form) : reached(windows_of(node, in), {y, y + 1, 0, in.width}, form);
                reach.first.push_back(rows.empty() ? form.height : rows.top);
                reach.end.push_back(rows.empty() ? 0 : rows.bottom);
            }
            // A range of rows is seen from the first on that any of them is seen in.
            for (std::size_t y = reach.first.size() - 1; y > 0; --y)
                reach.first[y - 1] = std::min(reach.first[y - 1], reach.first[y]);
            for (std::size_t y = 1; y < reach.end.size(); ++y)
                reach.end[y] = std::max(reach.end[y], reach.end[y - 1]);
        }
    }
}

template<class Word>
void IntegerModel<Word>::find_list_limits()
{
    constexpr std::int64_t kShortList = 64;
    constexpr std::int64_t kListedShare = 8;
    const std::vector<std::vector<NodeId>> consumers = consumers_of(graph());
    list_limits_.assign(consumers.size(), 0);
    for (std::size_t i = consumers.size(); i-- > 0;)
    {
        const ValueForm& form = network_.forms[i];
        for (const NodeId consumer : consumers[i])
        {
            const Operation& operation = graph().node(consumer).operation;
            std::int64_t limit = std::max(kShortList, form.pixels() * form.channels / kListedShare);
            if (is_product(operation))
                limit = finds_changes(operation) ? 0 : most_columns(consumer);
            else if (std::holds_alternative<FlattenOp>(operation) || has_row_kernel(operation))
                limit = list_limits_[index(consumer)];
            list_limits_[i] = std::max(list_limits_[i], limit);
        }
    }
}

template<class Word>
IntegerLayer<Word> IntegerModel<Word>::laid_out(NodeId id, IntegerNode node) const
{
    IntegerLayer<Word> layer;
    layer.node = std::move(node);
    const std::int64_t channels = place(id).form.channels;
    const Operation& operation = graph().node(id).operation;
    if (std::holds_alternative<AddOp>(operation) || std::holds_alternative<ConcatOp>(operation))
    {
        for (const Rescale& rescale : layer.node.rescale)
            layer.of_input.push_back(rescale_vectors({rescale}, 1, layer.node.limits));
    }
    else if (!layer.node.rescale.empty())
        layer.rescale = rescale_vectors(layer.node.rescale, channels, layer.node.limits);
    if (is_product(operation)) lay_out_product(id, layer);
    return layer;
}

template<class Word>
void IntegerModel<Word>::lay_out_product(NodeId id, IntegerLayer<Word>& layer) const
{
    using Traits = WordTraits<Word>;
    const IntegerPlace& in = place(graph().node(id).inputs[0]);
    const ProductShape shape = shape_of(graph(), id, in.form);
    layer.groups = shape.groups;
    layer.group_inputs = shape.group_inputs;
    layer.group_outputs = shape.group_outputs;
    layer.blocks = integer_padded(shape.group_outputs) / kIntegerLanes;
    const std::int64_t outputs = shape.groups * shape.group_outputs;
    const bool whole = shape.groups == 1 || shape.group_outputs % kIntegerLanes == 0;
    layer.sum_channels = integer_padded(outputs) + (whole ? 0 : kIntegerLanes);
    const std::int64_t quads = (shape.group_inputs + Traits::kGroup - 1) / Traits::kGroup;
    const auto* const conv = std::get_if<Conv2dOp>(&graph().node(id).operation);
    const bool by_columns = conv != nullptr && conv->groups > 1;
    layer.taps = shape.taps;
    // The padded channels of a pixel are zeros, with weights of zero.
    const bool packed = in.frame == 0 && quads * Traits::kGroup == in.channels;
    layer.steps_in_a_row = packed ? shape.taps * quads : quads;
    for (std::int64_t tap = 0; tap < shape.taps; ++tap)
    {
        const std::ptrdiff_t first = conv == nullptr
                                         ? in.at(tap / in.form.width, tap % in.form.width) - in.at(0, 0)
                                         : tap / conv->kernel * conv->dilation * in.row +
                                               tap % conv->kernel * conv->dilation * in.channels;
        for (std::int64_t quad = 0; quad < quads; ++quad)
            layer.steps.push_back(first + quad * Traits::kGroup);
    }
    const std::int64_t part = kIntegerLanes * Traits::kGroup;
    const std::int64_t step = part * Traits::kWeightParts;
    // Where the weights are those of the golden layer, its sums start elsewhere by the biases alone.
    const IntegerLayer<Word>* const golden = layer.node.weights.empty() ? &layers_[index(id)] : nullptr;
    std::vector<typename Traits::Weight> weights;
    std::vector<std::int32_t> columns;
    if (golden == nullptr)
    {
        weights.assign(static_cast<std::size_t>(shape.groups * layer.blocks * shape.taps * quads * step), 0);
        if (by_columns)
            columns.assign(static_cast<std::size_t>(shape.group_inputs * shape.taps * shape.groups *
                                                    layer.blocks * kIntegerLanes),
                           0);
    }
    layer.start.assign(static_cast<std::size_t>(shape.groups * layer.blocks * kIntegerLanes), 0);
    for (std::int64_t o = 0; o < outputs; ++o)
    {
        const std::int64_t g = o / shape.group_outputs;
        const std::int64_t in_group = o % shape.group_outputs;
        const std::int64_t block = g * layer.blocks + in_group / kIntegerLanes;
        const std::int64_t lane = in_group % kIntegerLanes;
        typename Traits::Sum start =
            static_cast<typename Traits::Sum>(layer.node.bias[static_cast<std::size_t>(o)]);
        if (golden != nullptr)
        {
            start += golden->start[static_cast<std::size_t>(block * kIntegerLanes + lane)] -
                     static_cast<typename Traits::Sum>(golden->node.bias[static_cast<std::size_t>(o)]);
        }
        for (std::int64_t c = 0; c < shape.group_inputs && golden == nullptr; ++c)
        {
            for (std::int64_t tap = 0; tap < shape.taps; ++tap)
            {
                const std::int32_t code =
                    layer.node
                        .weights[static_cast<std::size_t>((o * shape.group_inputs + c) * shape.taps + tap)];
                start -= static_cast<typename Traits::Sum>(code) * Traits::kZero;
                store_weight<Word>(code,
                                   weights.data() +
                                       ((block * shape.taps + tap) * quads + c / Traits::kGroup) * step +
                                       lane * Traits::kGroup + c % Traits::kGroup,
                                   part);
                if (!by_columns) continue;
                columns[static_cast<std::size_t>(
                    (((c * shape.taps + tap) * shape.groups + g) * layer.blocks) * kIntegerLanes +
                    in_group)] = code;
            }
        }
        layer.start[static_cast<std::size_t>(block * kIntegerLanes + lane)] = start;
    }
    using Weights = const std::vector<typename Traits::Weight>;
    layer.weights = golden != nullptr ? golden->weights : std::make_shared<Weights>(std::move(weights));
    layer.columns = golden != nullptr ? golden->columns
                                      : std::make_shared<const std::vector<std::int32_t>>(std::move(columns));
    if (reads_maps_[index(id)] && golden == nullptr) lay_out_maps(id, layer);
}

template<class Word>
void IntegerModel<Word>::lay_out_maps(NodeId id, IntegerLayer<Word>& layer) const
{
    using Traits = WordTraits<Word>;
    const IntegerPlace& in = place(graph().node(id).inputs[0]);
    const auto* const conv = std::get_if<Conv2dOp>(&graph().node(id).operation);
    const std::int64_t rows = conv != nullptr ? conv->kernel : in.form.height;
    const std::int64_t columns = conv != nullptr ? conv->kernel : in.form.width;
    const std::int64_t pieces = (columns + Traits::kGroup - 1) / Traits::kGroup;
    const std::int64_t part = kIntegerLanes * Traits::kGroup;
    const std::int64_t step = part * Traits::kWeightParts;
    for (std::int64_t tap = 0; tap < rows * pieces; ++tap)
        layer.map_steps.push_back(tap / pieces * in.map_row() + tap % pieces * Traits::kGroup);
    std::vector<typename Traits::Weight> weights(
        static_cast<std::size_t>(layer.group_inputs * layer.blocks * rows * pieces * step), 0);
    const std::int32_t* code = layer.node.weights.data();
    for (std::int64_t o = 0; o < layer.group_outputs; ++o)
    {
        for (std::int64_t c = 0; c < layer.group_inputs; ++c)
        {
            const std::int64_t block = c * layer.blocks + o / kIntegerLanes;
            for (std::int64_t tap = 0; tap < rows * columns; ++tap, ++code)
            {
                const std::int64_t column = tap % columns;
                const std::int64_t piece = (block * rows + tap / columns) * pieces + column / Traits::kGroup;
                store_weight<Word>(*code,
                                   weights.data() + piece * step + o % kIntegerLanes * Traits::kGroup +
                                       column % Traits::kGroup,
                                   part);
            }
        }
    }
    layer.map_weights = std::make_shared<const std::vector<typename Traits::Weight>>(std::move(weights));
}

template<class Word>
std::uint64_t IntegerModel<Word>::bytes() const
{
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < layers_.size(); ++i)
    {
        if (layers_[i].weights == nullptr) continue;
        bytes += layers_[i].weights->size() * sizeof(typename WordTraits<Word>::Weight) +
                 layers_[i].columns->size() * sizeof(std::int32_t) +
                 (layers_[i].map_weights == nullptr ? 0 : layers_[i].map_weights->size()) *
                     sizeof(typename WordTraits<Word>::Weight) +
                 network_.nodes[i].weights.size() * sizeof(std::int32_t);
    }
    return bytes;
}

template class IntegerModel<std::uint8_t>;
template class IntegerModel<std::int16_t>;
template class IntegerModel<std::int32_t>;

}  // namespace flipstorm
