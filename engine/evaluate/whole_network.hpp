#pragma once
// A network with any number of changed words, evaluated as a whole.

#include <functional>

#include "engine/data/dataset.hpp"
#include "engine/evaluate/evaluation_options.hpp"
#include "engine/evaluate/outcome.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// How a network does on the test images, against what the fault-free one says of them: one forward pass, as
/// golden_share. \param between  called now and then while it computes \throws DataError if images and
/// network do not fit. Thread-safe.
[[nodiscard]] Tally evaluate_whole(const Network& network, const ImageSet& images,
                                   const EvaluationOptions& options, const Golden& golden,
                                   const std::function<void()>& between = {});

}  // namespace flipstorm
