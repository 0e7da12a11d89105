#pragma once
// Confidence intervals of proportions: Wilson's score interval, and Clopper and Pearson's. Pure functions,
// thread-safe.

#include <cstdint>

namespace flipstorm
{

/// Quantile of the normal distribution for two-sided 95 %.
constexpr double kQuantile95 = 1.959963984540054;

/// A share and the limits of its confidence interval.
struct ShareInterval
{
    double share = 0;
    double low = 0;
    double high = 0;
};

/**
 * Wilson's score interval for a share seen in `size` independent draws; an effective size need not be whole.
 *
 * The limits are 0 to 1 for size 0 and the share itself for an infinite size; a share of 0 or 1 is itself a
 * limit. Thread-safe.
 */
ShareInterval wilson_interval(double share, double size, double quantile = kQuantile95);

/**
 * Clopper and Pearson's interval (Biometrika 26, 1934) for a share seen in `size` independent draws; an
 * effective size need not be whole (Korn and Graubard, Survey Methodology 24, 1998).
 *
 *     low = B(α/2; x, size − x + 1),  high = B(1 − α/2; x + 1, size − x),  x = share · size
 *
 * with B the quantile of the beta distribution and α the two-sided probability beyond `quantile`. The limits
 * are 0 to 1 for size 0 and the share itself for an infinite size; a share of 0 or 1 is itself a limit.
 * Thread-safe.
 */
ShareInterval clopper_pearson_interval(double share, double size, double quantile = kQuantile95);

/**
 * Half the width of Wilson's score interval for a share p seen in n of N draws without replacement:
 *
 *     t √(p (1 − p) / m + t² / (4 m²)) / (1 + t² / m),   m = n N / (N − n)
 *
 * m is the number of draws with replacement that say as much (finite-population correction). 0 where the
 * whole population was drawn, 0.5 where nothing was. Thread-safe.
 */
double wilson_half_width(double share, std::uint64_t drawn, std::uint64_t population, double quantile);

/**
 * One-sided upper limit for a share of which `hits` were seen in `size` independent draws: the share at which
 * that few hits would have probability 1 − confidence (Clopper and Pearson, Biometrika 26, 1934),
 *
 *     Σ_{i ≤ hits} C(size, i) p^i (1 − p)^(size − i) = 1 − confidence
 *
 * and 1 where all draws were hits, or none was made. For draws without replacement it is cautious.
 *
 * \throws Error if there are more hits than draws. Thread-safe.
 */
double clopper_pearson_upper(std::uint64_t hits, std::uint64_t size, double confidence = 0.95);

}  // namespace flipstorm
