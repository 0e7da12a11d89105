#pragma once
// Which outcomes of earlier versions cannot be used any more, because a mend of the kernels changed them.
// What is not named here is as it always was, and taken up again from journals and files. Pure functions,
// thread-safe.

#include <cmath>

#include "engine/network/graph.hpp"

namespace flipstorm
{

/**
 * Revision of the results of a network: 0 where they were right from the start. Part of the digest of a
 * campaign where it is not 0.
 *
 * 1: some node reads the same value twice (a value added to itself, concatenated with itself): the
 * native kernels of earlier versions did not follow a change rightly through such a node.
 */
[[nodiscard]] int results_revision(const Graph& graph);

/// From this value or change of a weight on, sums may overflow behind it.
constexpr float kLargeWeight = 1e18F;

/// Whether a value is as large as none of an intact network is, kLargeWeight or more, or not finite: a cheap
/// question that spares all other faults the look at their sums.
[[nodiscard]] inline bool is_huge(float value)
{
    return !(std::fabs(value) < kLargeWeight);
}

/**
 * Whether values computed from a faulty weight may overflow: the weight, or its change, is kLargeWeight or
 * more, or not finite. The outcomes of such faults are not what journals of format 2 and campaign files
 * before version 1.3 say, where the native kernels computed them.
 */
[[nodiscard]] bool may_overflow(float value_before, float value_after);

}  // namespace flipstorm
