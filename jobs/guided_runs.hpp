#pragma once
// How many batches a rank takes from the queue at a time. Those of one layer share golden and gradient passes
// in the memory of a rank that computes them one after another; but what a rank has taken nobody else can
// compute. A pure function of the queue and the number of ranks, the same on all of them.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace flipstorm
{

/// What the queue gives out.
struct QueueItem
{
    std::int32_t layer = 0;
    double cost = 0;  ///< in any unit; 0 where it is not known
};

/**
 * First items of runs that cover the queue in order; then its length.
 *
 * A run is one item, or up to 8 of the same layer whose cost together is at most half of an even share of
 * what is left before it (cf. factoring, Hummel, Schonberg and Flynn, CACM 1992): so runs shrink towards the
 * end of the queue. On one rank, and where costs are 0, every item is a run. Thread-safe.
 */
[[nodiscard]] std::vector<std::size_t> guided_runs(const std::vector<QueueItem>& items, std::uint64_t ranks);

}  // namespace flipstorm
