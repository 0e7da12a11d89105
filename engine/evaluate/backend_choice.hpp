#pragma once
// Which backend computes, and with how many threads.

#include "engine/evaluate/evaluation_options.hpp"
#include "engine/network/graph.hpp"

namespace flipstorm
{

/// Threads that compute: two feed a GPU, so that while one waits for what it measured, the other one's work
/// is queued.
[[nodiscard]] int evaluation_threads(const Device& device, int threads);

/// Whether the native kernels compute, not LibTorch: never in `reference`. \throws JobError if they are asked
/// for where they cannot.
[[nodiscard]] bool computes_natively(const Graph& graph, const EvaluationOptions& options);

}  // namespace flipstorm
