#pragma once
// Batch normalisation with the statistics of a batch that is spread over ranks. Internal to the engine: this
// header brings in LibTorch.

#include <torch/torch.h>

#include "engine/train/training_ranks.hpp"

namespace flipstorm
{

/**
 * torch::batch_norm in training, with mean and variance over the images of all ranks, forward and backward:
 * the ranks' parts get the values and gradients that they have as parts of one batch. The gradients of weight
 * and bias are this rank's contributions, to be summed with all the others.
 *
 * Two sums over the ranks: [2C + 1] doubles forward, [2C] backward. The running statistics become the same on
 * all ranks. A rank may have no image.
 *
 * \param input  [N, C, H, W] or [N, C]
 * \param momentum  of the running statistics, which take the unbiased variance, as PyTorch's do
 * \param ranks  must outlive the backward pass
 * \throws DataError if there is only one value per channel on all ranks together. \collective
 */
[[nodiscard]] torch::Tensor sync_batch_norm(const torch::Tensor& input, const torch::Tensor& weight,
                                            const torch::Tensor& bias, const torch::Tensor& running_mean,
                                            const torch::Tensor& running_var, double momentum, double epsilon,
                                            TrainingRanks& ranks);

}  // namespace flipstorm
