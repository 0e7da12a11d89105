#pragma once
// How many images are computed at a time, and what that takes of memory. Pure functions; no LibTorch here.

#include <cstdint>

#include "engine/compute/batch_size.hpp"
#include "engine/evaluate/evaluation_options.hpp"
#include "engine/network/graph.hpp"

namespace flipstorm
{

/// Images per tile, a divisor of a wave: as many as keep the values of all nodes within some hundred MiB; in
/// `reference`, which lets values go, as many as keep those that live together within a core's caches.
[[nodiscard]] std::int64_t tile_images(const Graph& graph, EvaluationMode mode);

/**
 * Bytes that an evaluator takes at its start beside what it keeps: for the larger of the golden pass, and of
 * the scale of the channels that a screen needs.
 *
 *     golden pass: threads · tile · (input + 2 · live) floats; layouts of other libraries double what lives
 *     scale:       input floats of all its images, and of a batch all values and, as double, those of the
 *                  largest node and their squares
 *
 * \param images  test images
 */
[[nodiscard]] std::uint64_t start_bytes(const Graph& graph, EvaluationMode mode, std::uint64_t images,
                                        int threads);

}  // namespace flipstorm
