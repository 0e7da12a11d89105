#pragma once
// Which backend computes, and with how many threads.

#include "engine/evaluate/evaluation_options.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// Threads that compute: two feed a GPU, so that while one waits for what it measured, the other one's work
/// is queued.
[[nodiscard]] int evaluation_threads(const Device& device, int threads);

/// Whether kernels of our own compute, not LibTorch, and not mode `reference`. \throws JobError if they are
/// asked for where they cannot, or LibTorch where it cannot.
[[nodiscard]] bool computes_natively(const Network& network, const EvaluationOptions& options);

/// Whether LibTorch computes a network of whole numbers.
[[nodiscard]] bool is_emulated(const Network& network, const EvaluationOptions& options);

}  // namespace flipstorm
