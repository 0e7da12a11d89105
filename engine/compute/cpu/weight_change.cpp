#include "engine/compute/cpu/weight_change.hpp"

#include <algorithm>
#include <cstring>

namespace flipstorm
{

void shifted_input(const Conv2dOp& op, const PaddedForm& in_form, const PaddedForm& out_form, const float* in,
                   std::int64_t output, std::int64_t element, std::vector<float>& map)
{
    const std::int64_t channel = output / op.group_outputs() * op.group_inputs() + element / op.taps();
    const float* from = in + channel * in_form.pixels();
    const std::int64_t dy = element / op.kernel % op.kernel * op.dilation - op.padding;
    const std::int64_t dx = element % op.kernel * op.dilation - op.padding;
    map.resize(static_cast<std::size_t>(out_form.map() + kLanes));
    // Columns whose input lies within the map: 0 ≤ x·stride + dx < width.
    const std::int64_t x0 = dx >= 0 ? 0 : (-dx + op.stride - 1) / op.stride;
    const std::int64_t x1 = std::min(out_form.width, (in_form.width - dx + op.stride - 1) / op.stride);
    if (op.padding == 0 && op.stride == 1 && out_form.width <= kLanes)
    {
        // Whole vectors: what is written past a row's end is written again by the next one.
        for (std::int64_t y = 0; y < out_form.height; ++y)
            std::memcpy(map.data() + y * out_form.width, from + (y + dy) * in_form.width + dx,
                        kLanes * sizeof(float));
        std::fill_n(map.data() + out_form.pixels(), kLanes, 0.0F);
        return;
    }
    std::fill(map.begin(), map.end(), 0.0F);
    for (std::int64_t y = 0; y < out_form.height; ++y)
    {
        const std::int64_t row = y * op.stride + dy;
        if (row < 0 || row >= in_form.height || x1 <= x0) continue;
        const float* source = from + row * in_form.width + dx;
        float* to = map.data() + y * out_form.width;
        if (op.stride == 1)
            std::memcpy(to + x0, source + x0, static_cast<std::size_t>(x1 - x0) * sizeof(float));
        else
        {
            for (std::int64_t x = x0; x < x1; ++x)
                to[x] = source[x * op.stride];
        }
    }
}

}  // namespace flipstorm
