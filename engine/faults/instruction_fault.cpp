#include "engine/faults/instruction_fault.hpp"

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"
#include "engine/memory/faulty_value.hpp"

namespace flipstorm
{
namespace
{

constexpr std::int64_t kWarpRows = 32;     ///< of C, per warp
constexpr std::int64_t kWarpColumns = 16;  ///< of C, per warp
constexpr std::int64_t kFragment = 4;      ///< rows and columns of a thread's part

/// Rows (or columns) that are the first of a warp instruction: the first `kFragment` of each tile.
std::int64_t starts(std::int64_t extent, std::int64_t tile)
{
    return extent / tile * kFragment + std::min(extent % tile, kFragment);
}

std::int64_t start(std::int64_t number, std::int64_t tile)
{
    return number / kFragment * tile + number % kFragment;
}

constexpr NumberFormat kRegister = NumberFormat::fp32;  ///< what the results of the instructions are

/// The result of the struck instruction.
float struck(const InstructionFault& fault, float sum)
{
    switch (fault.model)
    {
        case InstructionModel::bit_flip:
            return faulty_value(format_traits(kRegister), sum, bit_flip(fault.bit));
        case InstructionModel::warp_random_value:
            return static_cast<float>(static_cast<double>(sum) * (1.0 + static_cast<double>(fault.value)));
    }
    throw Error("no model of instruction faults is number {}", static_cast<int>(fault.model));
}

/// The x of an output's dot product, in the order in which they are added.
std::vector<float> operands(const DotProducts& layer, std::int64_t group, std::int64_t position,
                            const float* input)
{
    std::vector<float> x;
    x.reserve(static_cast<std::size_t>(layer.depth));
    const std::int64_t height = layer.input[1];
    const std::int64_t width = layer.input[2];
    const std::int64_t channels = layer.input[0] / layer.groups;
    const std::int64_t top = position / layer.width * layer.stride - layer.padding;
    const std::int64_t left = position % layer.width * layer.stride - layer.padding;
    for (std::int64_t c = group * channels; c < (group + 1) * channels; ++c)
    {
        for (std::int64_t row = top; row < top + layer.kernel * layer.dilation; row += layer.dilation)
        {
            for (std::int64_t column = left; column < left + layer.kernel * layer.dilation;
                 column += layer.dilation)
            {
                const bool inside = row >= 0 && row < height && column >= 0 && column < width;
                x.push_back(inside ? input[(c * height + row) * width + column] : 0.0F);
            }
        }
    }
    return x;
}

}  // namespace

InstructionModel instruction_model_from(std::string_view name)
{
    if (name == "bit_flip") return InstructionModel::bit_flip;
    if (name == "warp_random_value") return InstructionModel::warp_random_value;
    throw JobError("transient.instruction: '{}' is not known; it is one of: bit_flip, warp_random_value",
                   name);
}

DotProducts dot_products(const Graph& graph, NodeId id)
{
    const Node& node = graph.node(id);
    DotProducts layer;
    if (const auto* conv = std::get_if<Conv2dOp>(&node.operation))
    {
        layer.groups = conv->groups;
        layer.rows = conv->out_channels / conv->groups;
        layer.columns = node.shape[1] * node.shape[2];
        layer.depth = conv->in_channels / conv->groups * conv->kernel * conv->kernel;
        layer.input = graph.node(node.inputs[0]).shape;
        layer.width = node.shape[2];
        layer.kernel = conv->kernel;
        layer.stride = conv->stride;
        layer.padding = conv->padding;
        layer.dilation = conv->dilation;
        return layer;
    }
    const auto* linear = std::get_if<LinearOp>(&node.operation);
    FS_REQUIRE(linear != nullptr, "node '{}' computes no dot products", node.name);
    layer.rows = linear->out_features;
    layer.columns = 1;
    layer.depth = linear->in_features;
    layer.input = {linear->in_features, 1, 1};
    return layer;
}

std::uint64_t instruction_count(const DotProducts& layer, InstructionModel model)
{
    const std::int64_t places = model == InstructionModel::bit_flip
                                    ? layer.rows * layer.columns
                                    : starts(layer.rows, kWarpRows) * starts(layer.columns, kWarpColumns);
    return static_cast<std::uint64_t>(layer.groups * places * layer.depth);
}

InstructionFault draw_instruction_fault(const InstructionRules& rules, const DotProducts& layer,
                                        std::uint64_t instruction, RandomStream& random)
{
    FS_REQUIRE(instruction < instruction_count(layer, rules.model), "instruction {} of {}", instruction,
               instruction_count(layer, rules.model));
    InstructionFault fault;
    fault.model = rules.model;
    const auto depth = static_cast<std::uint64_t>(layer.depth);
    fault.step = instruction % depth;
    const auto place = static_cast<std::int64_t>(instruction / depth);
    if (rules.model == InstructionModel::bit_flip)
    {
        fault.element = static_cast<std::uint64_t>(place);
        fault.bit = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(word_bits(kRegister))));
        return fault;
    }
    const std::int64_t across = starts(layer.columns, kWarpColumns);
    const std::int64_t down = starts(layer.rows, kWarpRows);
    const std::int64_t group = place / (down * across);
    const std::int64_t row = start(place / across % down, kWarpRows);
    const std::int64_t column = start(place % across, kWarpColumns);
    fault.element = static_cast<std::uint64_t>((group * layer.rows + row) * layer.columns + column);
    fault.value = draw_error(rules.value, word_bits(kRegister), random);
    if (random.below(2) == 1) fault.value = -fault.value;
    return fault;
}

std::vector<std::int64_t> struck_outputs(const InstructionFault& fault, const DotProducts& layer)
{
    const auto element = static_cast<std::int64_t>(fault.element);
    if (fault.model == InstructionModel::bit_flip) return {element};
    const std::int64_t first_channel = element / layer.columns;
    const std::int64_t group = first_channel / layer.rows;
    const std::int64_t row = first_channel % layer.rows;
    const std::int64_t column = element % layer.columns;
    std::vector<std::int64_t> outputs;
    for (std::int64_t r = row; r < std::min(row + kWarpRows, layer.rows); r += kFragment)
    {
        for (std::int64_t c = column; c < std::min(column + kWarpColumns, layer.columns); c += kFragment)
            outputs.push_back((group * layer.rows + r) * layer.columns + c);
    }
    return outputs;
}

void corrupt(const InstructionFault& fault, const DotProducts& layer, const float* weight, const float* bias,
             const float* input, float* output)
{
    std::vector<float> x;
    std::int64_t position = -1;
    for (const std::int64_t element : struck_outputs(fault, layer))
    {
        const std::int64_t channel = element / layer.columns;
        if (element % layer.columns != position)
        {
            position = element % layer.columns;
            x = operands(layer, channel / layer.rows, position, input);
        }
        const float* const w = weight + channel * layer.depth;
        float golden = 0;
        float faulty = 0;
        for (std::size_t j = 0; j < x.size(); ++j)
        {
            golden = std::fmaf(x[j], w[j], golden);
            if (j < fault.step)
                faulty = golden;
            else
                faulty = std::fmaf(x[j], w[j], faulty);
            if (j == fault.step) faulty = struck(fault, faulty);
        }
        if (bias != nullptr)
        {
            golden += bias[channel];
            faulty += bias[channel];
        }
        if (std::memcmp(&golden, &faulty, sizeof golden) == 0) continue;
        float& value = output[element];
        value = value == golden
                    ? faulty
                    : static_cast<float>(static_cast<double>(value) +
                                         (static_cast<double>(faulty) - static_cast<double>(golden)));
    }
}

}  // namespace flipstorm
