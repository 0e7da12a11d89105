#include "engine/compute/cpu/packed_weights.hpp"

#include <algorithm>

namespace flipstorm
{

PackedLayer packed(const std::vector<float>& values, const WeightSizes& sizes, std::int64_t most_vectors)
{
    PackedLayer layer;
    layer.taps = sizes.taps;
    layer.groups = sizes.groups;
    layer.group_inputs = sizes.group_inputs;
    layer.group_outputs = sizes.outputs / sizes.groups;
    layer.whole_vectors = sizes.groups == 1 || layer.group_outputs % kLanes == 0;
    const std::int64_t vectors = padded(layer.group_outputs) / kLanes;
    for (std::int64_t g = 0; g < sizes.groups; ++g)
    {
        for (std::int64_t v = 0; v < vectors;)
        {
            const std::int64_t width = vectors - v >= most_vectors ? most_vectors : 1;
            WeightBlock block;
            block.group = g;
            block.vectors = width;
            block.first_output = g * layer.group_outputs + v * kLanes;
            block.outputs = std::min(width * kLanes, layer.group_outputs - v * kLanes);
            block.offset = layer.weights.size();
            layer.weights.resize(block.offset +
                                 static_cast<std::size_t>(sizes.taps * sizes.group_inputs * width * kLanes));
            float* to = layer.weights.data() + block.offset;
            for (std::int64_t t = 0; t < sizes.taps; ++t)
            {
                for (std::int64_t c = 0; c < sizes.group_inputs; ++c, to += width * kLanes)
                {
                    for (std::int64_t o = 0; o < block.outputs; ++o)
                    {
                        to[o] = values[static_cast<std::size_t>(
                            ((block.first_output + o) * sizes.group_inputs + c) * sizes.taps + t)];
                    }
                }
            }
            layer.blocks.push_back(block);
            v += width;
        }
    }
    return layer;
}

}  // namespace flipstorm
