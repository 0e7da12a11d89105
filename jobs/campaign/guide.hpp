#pragma once
// Where a guided campaign looks next: more faults where the forest of the faults so far is unsure.

#include <cstdint>
#include <vector>

namespace flipstorm
{

/// Rounds of a guided campaign behind its pilot; each has twice the faults of the one before.
constexpr int kGuidedRounds = 3;

/// Faults that are sampled together, and what was seen of them.
struct GuidedCell
{
    std::int32_t layer = 0;
    std::int32_t bit = 0;
    std::int32_t direction = 0;  ///< what the bit holds
    std::uint64_t population = 0;
    std::uint64_t seen = 0;
    std::uint64_t critical = 0;  ///< of those
};

/**
 * Share a round's faults out to the cells.
 *
 * A forest of the faults so far, on layer, bit and direction, says how likely a fault of each cell is
 * critical; that counts like two faults beside those seen, and at least like half a critical one in all
 * that were seen. With p so found, a cell of N faults gets faults in proportion to √N · √(p (1 − p)): as much
 * as the estimate of the critical share is unsure (Neyman, 1934), its size damped (power allocation, Bankier,
 * 1988), for a forest needs to see small layers, too.
 *
 * \param faults  to share out; more where the least of all cells is more
 * \param least   faults that every cell gets, or what is left of it
 * \return by cell; at most what is left of it. The same on any number of ranks and threads. Thread-safe.
 */
[[nodiscard]] std::vector<std::uint64_t> guided_round(const std::vector<GuidedCell>& cells,
                                                      std::uint64_t faults, std::uint64_t least,
                                                      std::uint64_t seed);

}  // namespace flipstorm
