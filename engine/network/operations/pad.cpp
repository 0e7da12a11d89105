#include "engine/network/operations/pad.hpp"

#include <fmt/format.h>

namespace flipstorm
{

Shape PadOp::shape(const NodeCheck& node) const
{
    const Shape& in = node.image();
    for (const std::int64_t zeros : {channels_before, channels_behind, top, bottom, left, right})
    {
        node.expect(zeros >= 0 && zeros <= kLargestPadding,
                    fmt::format("adds {} zeros on a side, it can add 0 … {}", zeros, kLargestPadding));
    }
    return {in[0] + channels_before + channels_behind, in[1] + top + bottom, in[2] + left + right};
}

}  // namespace flipstorm
