#pragma once
// Which outcomes of earlier versions cannot be used any more, because a mend of the kernels changed them.
// What is not named here is as it always was, and taken up again from journals and files. Pure functions,
// thread-safe.

#include "engine/compute/overflow_bound.hpp"
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

/**
 * Whether values computed from a faulty weight may overflow: the weight, or its change, is kLargeWeight or
 * more, or not finite. The outcomes of such faults are not what journals of format 2 and campaign files
 * before version 1.3 say, where the native kernels computed them.
 */
[[nodiscard]] bool may_overflow(float value_before, float value_after);

}  // namespace flipstorm
