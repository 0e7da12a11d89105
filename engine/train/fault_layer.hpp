#pragma once
// Applies the fault of fault-aware training to a layer's output. Internal to the engine: this header brings
// in LibTorch.

#include <torch/torch.h>

#include "engine/train/fault_aware.hpp"

namespace flipstorm
{

/**
 * Put a fault into a value: value · factor + shift in the struck elements of the struck images.
 *
 * In place, on the struck planes alone, so that it costs next to nothing; and differentiable: on its way
 * back, the gradient of a struck element is multiplied by the factor. `value` must not be needed by what
 * computed it (neither a convolution nor a linear layer needs its output).
 *
 * \param value  [images of this rank, C, H, W] or [images, features], contiguous
 * \param first  position of this rank's first image in the whole batch
 */
void apply_fault(const torch::Tensor& value, const TrainingFault& fault, std::int64_t first);

}  // namespace flipstorm
