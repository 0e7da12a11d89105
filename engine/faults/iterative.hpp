#pragma once
// Sample sizes that follow the estimate: how many faults of a stratum are needed once some have been seen.

#include <cstdint>

#include "engine/faults/sample_size.hpp"

namespace flipstorm
{

/**
 * The smallest number of draws with which the interval of a share can be within the error margin at all: that
 * of a share of 0 or 1. What an iterative campaign costs at least, and its pilot unless the job says
 * otherwise. At least 1, at most the population; 0 of an empty one.
 *
 * \param precision  its proportion is not used \throws JobError if it is out of range. Thread-safe.
 */
std::uint64_t smallest_sample(std::uint64_t population, Precision precision);

/// Hits among the faults of a stratum that have been seen.
struct SeenFaults
{
    std::uint64_t faults = 0;
    std::uint64_t hits = 0;
};

/**
 * Number of faults a stratum needs, after what has been seen: as many as were seen if the interval is within
 * the margin, else the smallest number with which a share like the one seen would have an interval within it,
 * but at most twice as many as seen, because by then the share is known better. So a pilot with more hits
 * than usual does not decide the size alone.
 *
 * The result exceeds `seen.faults` unless the stratum is within the margin or exhausted.
 *
 * \throws Error if more was seen than there is, or nothing. Thread-safe.
 */
std::uint64_t next_sample_size(std::uint64_t population, SeenFaults seen, Precision precision);

}  // namespace flipstorm
