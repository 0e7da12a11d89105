#include "engine/compute/batch_size.hpp"

#include <algorithm>

namespace flipstorm
{

std::int64_t images_within(std::initializer_list<std::int64_t> sizes, std::int64_t of_image,
                           std::int64_t most)
{
    const auto* const fits = std::find_if(sizes.begin(), sizes.end(),
                                          [&](std::int64_t images) { return images * of_image <= most; });
    return fits == sizes.end() ? 1 : *fits;
}

std::int64_t spread_images(const Graph& graph)
{
    constexpr std::int64_t kElements = std::int64_t{1} << 27;
    return images_within({50, 20, 10, 5, 2}, all_elements(graph), kElements);
}

}  // namespace flipstorm
