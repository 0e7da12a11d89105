#pragma once
// A node that is about to be added to a graph, as its operation sees it to check it.

#include <string>
#include <vector>

#include "engine/network/shape.hpp"

namespace flipstorm
{

/// Largest padding on each side, stride and dilation: sums of sizes stay far from overflow.
constexpr std::int64_t kLargestPadding = std::int64_t{1} << 20;

/// All members throw DataError, naming the node, where something does not fit.
struct NodeCheck
{
    const std::string& name;
    const std::vector<const Shape*>& inputs;

    void expect(bool holds, const std::string& what) const;
    void expect_inputs(std::size_t count) const;

    /// The only input.
    [[nodiscard]] const Shape& input() const;

    /// The only input, which must be an image of [C, H, W].
    [[nodiscard]] const Shape& image() const;

    /// Windows that fit a dimension of `size` elements.
    /// \param dilation  distance of neighbouring elements of a window
    [[nodiscard]] std::int64_t windows(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                                       std::int64_t padding, std::int64_t dilation = 1) const;
};

}  // namespace flipstorm
