#pragma once
// Which screened pairs are evaluated all the same: the random sample that proves what the screen is worth.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/compute/backend.hpp"

namespace flipstorm
{

/**
 * Choice of (image, fault) pairs of a tile that are audited if they are screened; each with the same
 * probability, independently. A function of the seed, each fault's number and the tile alone.
 *
 * \param share   probability; none are chosen where it is 0 or less, all where it is 1 or more
 * \param first   of the tile's images, in evaluation order
 * \param images  of the tile
 * \returns 0 or 1, [images][count]. Thread-safe.
 */
std::vector<char> choose_audits(std::uint64_t seed, double share, const WeightChange* changes,
                                std::size_t count, std::int64_t first, std::int64_t images);

}  // namespace flipstorm
