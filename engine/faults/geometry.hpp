#pragma once
// Which elements of a feature map a transient fault corrupts. Beam experiments and register-transfer
// injections on GPUs show that one fault in a convolution spreads over single values, lines, blocks, whole
// channels or scattered elements of its output (dos Santos et al., DSN 2021; Cavagnero et al., IOLTS 2022).
// Pure functions of a stream of random numbers; no LibTorch.

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/base/philox.hpp"
#include "engine/network/graph.hpp"

namespace flipstorm
{

/// Shape of the corrupted part of the plane of each hit channel.
enum class Geometry
{
    single,   ///< one position
    row,      ///< one whole row
    column,   ///< one whole column
    line,     ///< a row or a column, each with probability 1/2
    block,    ///< a rectangle: height and width uniform on 1 … H and 1 … W, anywhere it fits
    channel,  ///< the whole plane
    random,   ///< n scattered positions, n uniform on 1 … H·W
    element,  ///< one position of one channel
};

/// Geometry of that name. \throws JobError naming the known ones.
[[nodiscard]] Geometry geometry_from(std::string_view name);

/// "single", "row", …
[[nodiscard]] const char* to_string(Geometry geometry);

/**
 * Probability that a channel is hit, as published: single 1, lines 0.75, block 0.3 (Cavagnero et al.), whole
 * channels 0.1 (their code); scattered elements, of which neither speaks, 0.3.
 */
[[nodiscard]] double usual_channel_probability(Geometry geometry);

/// The corrupted elements of one feature map: the same positions in each of some channels.
struct FaultRegion
{
    std::vector<std::int64_t> channels;  ///< ascending, at least one
    std::int64_t row_begin = 0;          ///< rows [row_begin, row_end)
    std::int64_t row_end = 0;
    std::int64_t column_begin = 0;  ///< columns [column_begin, column_end)
    std::int64_t column_end = 0;
    /// Geometry::random only: the positions row · W + column, ascending; the ranges above are then the whole
    /// plane. Empty for the others.
    std::vector<std::int64_t> positions;

    /// Corrupted elements in all channels.
    [[nodiscard]] std::int64_t size() const;
};

/**
 * Draw the corrupted elements of one feature map.
 *
 * Each channel is hit with `channel_probability`, independently; if none is, one of them, uniformly; of
 * `element`, one of them, uniformly. A fully
 * connected layer's value [features] counts as [features, 1, 1].
 *
 * \param shape  of the value for one image: [C, H, W] or [features]
 * \throws Error if the shape is none of these or empty, or the probability is not in (0, 1]. Thread-safe for
 * different streams.
 */
[[nodiscard]] FaultRegion draw_region(Geometry geometry, const Shape& shape, double channel_probability,
                                      RandomStream& random);

}  // namespace flipstorm
