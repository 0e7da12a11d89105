#pragma once
// When a drop in accuracy is more than a user tolerates: the one place that decides it.

namespace flipstorm
{

/**
 * Whether a drop exceeds a tolerance: then the fault is critical for it.
 *
 * Drops are multiples of 1 / images; a drop that equals the tolerance but for rounding does not exceed it.
 */
constexpr bool exceeds(double drop, double tolerance)
{
    return drop > tolerance + 1e-9;
}

}  // namespace flipstorm
