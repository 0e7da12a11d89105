#include "engine/network/operations/slice.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace flipstorm
{

Shape SliceOp::shape(const NodeCheck& node) const
{
    Shape shape = node.image();
    node.expect(dimension >= 0 && dimension <= 2,
                fmt::format("slices dimension {} of [C, H, W], it must be 0, 1 or 2", dimension));
    std::int64_t& size = shape[static_cast<std::size_t>(dimension)];
    node.expect(start >= 0 && start < end && end <= size && step > 0 && step <= kLargestPadding,
                fmt::format("takes {}:{}:{} (start:end:step) of {} elements", start, end, step, size));
    size = (end - start - 1) / step + 1;
    return shape;
}

/// A slice of channels may drop the channel: not known before the fault is.
Spread SliceOp::spread(const ChangedInputs& inputs) const
{
    return dimension == 0 ? Spread{Extent::everything, 0} : inputs.spread[0];
}

std::int64_t SliceOp::changed_channels(const ChangedCounts& inputs) const
{
    return std::min(inputs.shape[0], inputs.count[0]);
}

WindowGrid SliceOp::windows(std::int64_t /*height*/, std::int64_t /*width*/) const
{
    WindowGrid grid;
    if (dimension > 0) (dimension == 1 ? grid.rows : grid.columns) = {1, step, -start};
    return grid;
}

}  // namespace flipstorm
