#pragma once
// Sample sizes of a statistical fault-injection campaign.

#include <cstdint>

namespace flipstorm
{

/// What a user asks of an estimated proportion.
struct Precision
{
    double error_margin = 0.01;  ///< half-width e of the interval, in (0, 1)
    double quantile = 2.5758;    ///< t of the normal distribution; 2.5758 is 99 % two-sided
    double proportion = 0.5;     ///< prior p of a critical fault; 0.5 is the most cautious
};

/**
 * Number of faults to draw, without replacement, from a finite population.
 *
 *     n = N / (1 + e² (N - 1) / (t² p (1 - p)))        Leveugle et al., DATE 2009, eq. 4
 *
 * Rounded up, so that the margin is kept; never more than N. For N = 0 the result is 0; for p = 0 or
 * p = 1 it is 1 (nothing to estimate, one draw to confirm).
 *
 * \throws JobError if the margin, quantile or proportion is out of range. Thread-safe.
 */
std::uint64_t sample_size(std::uint64_t population, Precision precision);

}  // namespace flipstorm
