#include "engine/compute/cpu/rearrange.hpp"

#include <algorithm>

namespace flipstorm
{

void clear_output(ChangeBatch& batch, const NativeStep& step)
{
    const PaddedForm& out = batch.form(step.node);
    for (std::size_t s = 0; s < batch.size(); ++s)
    {
        std::fill_n(batch.at(step.buffer, s), step.extent == Extent::everything ? out.slot() : out.map(),
                    0.0F);
    }
}

void place_input(ChangeBatch& batch, const NativeStep& step, const ChangedInput& input,
                 const Placement& placement)
{
    const auto& [first, end, stride, to_first] = placement;
    const PaddedForm& in = batch.form(input.node);
    const PaddedForm& out = batch.form(step.node);
    const bool all = step.extent == Extent::everything;
    const bool whole = input.extent == Extent::everything;
    const std::int64_t out_channels = all ? padded(out.channels) : 1;
    const std::int64_t in_channels = whole ? padded(in.channels) : 1;
    for (std::size_t s = 0; s < batch.size(); ++s)
    {
        const float* from = batch.at(input.buffer, s);
        float* to = batch.at(step.buffer, s);
        const std::int64_t only = whole ? -1 : batch.channel_at(input.node, s);
        for (std::int64_t y = first[1]; y < end[1]; y += stride[1])
        {
            for (std::int64_t x = first[2]; x < end[2]; x += stride[2])
            {
                const float* source = from + (y * in.width + x) * in_channels;
                float* target = to + (((y - first[1]) / stride[1] + to_first[1]) * out.width +
                                      (x - first[2]) / stride[2] + to_first[2]) *
                                         out_channels;
                if (!all)
                {
                    *target = *source;
                    continue;
                }
                if (whole && stride[0] == 1)
                {
                    std::copy(source + first[0], source + end[0], target + to_first[0]);
                    continue;
                }
                for (std::int64_t c = first[0]; c < end[0]; c += stride[0])
                {
                    if (!whole && c != only) continue;
                    target[(c - first[0]) / stride[0] + to_first[0]] = source[whole ? c : 0];
                }
            }
        }
    }
}

}  // namespace flipstorm
