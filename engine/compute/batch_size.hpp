#pragma once
// How many images or pairs are computed together.

#include <cstdint>
#include <initializer_list>

#include "engine/network/graph.hpp"

namespace flipstorm
{

/// The first of the sizes, falling, at which so many images of `of_image` elements are at most `most`;
/// else 1.
[[nodiscard]] std::int64_t images_within(std::initializer_list<std::int64_t> sizes, std::int64_t of_image,
                                         std::int64_t most);

/// Images whose values set the scale of a channel, at most.
constexpr std::int64_t kSpreadImages = 1000;

/// Images whose values are computed together to find the scale of the channels: their values are kept until
/// all of them are known, within 512 MiB or so.
[[nodiscard]] std::int64_t spread_images(const Graph& graph);

}  // namespace flipstorm
