#pragma once
// The fault-free pass of a network of whole numbers.

#include <cstdint>
#include <vector>

#include "engine/data/dataset.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/**
 * Logits of the images [first, first + count).
 *
 * \return [count, classes]
 * \throws JobError if integer_obstacle() says so. Thread-safe.
 */
[[nodiscard]] std::vector<float> integer_logits(const Network& network, const ImageSet& images,
                                                std::int64_t first, std::int64_t count, int threads);

}  // namespace flipstorm
