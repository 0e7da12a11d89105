#include "engine/faults/geometry.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

struct Named
{
    Geometry geometry;
    const char* name;
    double channel_probability;
};

constexpr std::array<Named, 8> kGeometries = {{{Geometry::single, "single", 1.0},
                                               {Geometry::row, "row", 0.75},
                                               {Geometry::column, "column", 0.75},
                                               {Geometry::line, "line", 0.75},
                                               {Geometry::block, "block", 0.3},
                                               {Geometry::channel, "channel", 0.1},
                                               {Geometry::random, "random", 0.3},
                                               {Geometry::element, "element", 1.0}}};

const Named& entry(Geometry geometry)
{
    return kGeometries.at(static_cast<std::size_t>(geometry));
}

std::int64_t draw_below(RandomStream& random, std::int64_t bound)
{
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(bound)));
}

std::vector<std::int64_t> draw_channels(std::int64_t channels, double probability, RandomStream& random)
{
    std::vector<std::int64_t> hit;
    for (std::int64_t c = 0; c < channels; ++c)
    {
        if (random.uniform() < probability) hit.push_back(c);
    }
    if (hit.empty()) hit.push_back(draw_below(random, channels));
    return hit;
}

/// `count` of the numbers 0 … bound − 1 without replacement, ascending: the head of a Fisher-Yates shuffle.
std::vector<std::int64_t> draw_positions(std::int64_t count, std::int64_t bound, RandomStream& random)
{
    std::vector<std::int64_t> positions(static_cast<std::size_t>(bound));
    std::iota(positions.begin(), positions.end(), std::int64_t{0});
    for (std::int64_t i = 0; i < count; ++i)
        std::iter_swap(positions.begin() + i, positions.begin() + i + draw_below(random, bound - i));
    positions.resize(static_cast<std::size_t>(count));
    std::sort(positions.begin(), positions.end());
    return positions;
}

}  // namespace

Geometry geometry_from(std::string_view name)
{
    for (const Named& known : kGeometries)
    {
        if (name == known.name) return known.geometry;
    }
    throw JobError(
        "geometry '{}' is not known; this build has: single, row, column, line, block, channel, random, "
        "element",
        name);
}

const char* to_string(Geometry geometry)
{
    return entry(geometry).name;
}

double usual_channel_probability(Geometry geometry)
{
    return entry(geometry).channel_probability;
}

std::int64_t FaultRegion::size() const
{
    const std::int64_t plane = positions.empty() ? (row_end - row_begin) * (column_end - column_begin)
                                                 : static_cast<std::int64_t>(positions.size());
    return static_cast<std::int64_t>(channels.size()) * plane;
}

FaultRegion draw_region(Geometry geometry, const Shape& shape, double channel_probability,
                        RandomStream& random)
{
    FS_REQUIRE((shape.size() == 1 || shape.size() == 3) && elements(shape) > 0,
               "a feature map has shape [C, H, W] or [features], not {} dimensions of {} elements",
               shape.size(), elements(shape));
    FS_REQUIRE(channel_probability > 0 && channel_probability <= 1,
               "a channel is hit with probability {}; it must be in (0, 1]", channel_probability);
    const std::int64_t height = shape.size() == 3 ? shape[1] : 1;
    const std::int64_t width = shape.size() == 3 ? shape[2] : 1;
    FaultRegion region;
    region.channels = geometry == Geometry::element ? std::vector<std::int64_t>{draw_below(random, shape[0])}
                                                    : draw_channels(shape[0], channel_probability, random);
    region.row_end = height;
    region.column_end = width;
    // `length` of the indices 0 … extent − 1 from a uniform place on.
    const auto place = [&random](std::int64_t extent, std::int64_t length, std::int64_t& begin,
                                 std::int64_t& end) {
        begin = draw_below(random, extent - length + 1);
        end = begin + length;
    };
    if (geometry == Geometry::line) geometry = draw_below(random, 2) == 0 ? Geometry::row : Geometry::column;
    switch (geometry)
    {
        case Geometry::single:
        case Geometry::element:
            place(height, 1, region.row_begin, region.row_end);
            place(width, 1, region.column_begin, region.column_end);
            break;
        case Geometry::row:
            place(height, 1, region.row_begin, region.row_end);
            break;
        case Geometry::column:
            place(width, 1, region.column_begin, region.column_end);
            break;
        case Geometry::block: {
            const std::int64_t rows = 1 + draw_below(random, height);
            const std::int64_t columns = 1 + draw_below(random, width);
            place(height, rows, region.row_begin, region.row_end);
            place(width, columns, region.column_begin, region.column_end);
            break;
        }
        case Geometry::random: {
            const std::int64_t plane = height * width;
            region.positions = draw_positions(1 + draw_below(random, plane), plane, random);
            break;
        }
        case Geometry::channel:
        case Geometry::line:
            break;
    }
    return region;
}

}  // namespace flipstorm
