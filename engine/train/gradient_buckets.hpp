#pragma once
// Sums the gradients of all ranks while the backward pass is still running. Internal to the engine: this
// header brings in LibTorch.

#include <torch/torch.h>

#include <cstddef>
#include <vector>

#include "engine/train/training_ranks.hpp"

namespace flipstorm
{

/**
 * Parameters in buckets of neighbouring ones, last first, as the backward pass reaches them. A hook on each
 * parameter copies its gradient into its bucket; the sum over the ranks of a bucket begins when the bucket
 * and all before it are full (Li et al., "PyTorch Distributed", VLDB 2020).
 *
 * One step: start(), the backward pass, finish(). In between the parameters' own `grad` are this rank's;
 * afterwards they are the sums.
 */
class GradientBuckets
{
  public:
    /// \param parameters  trainable leaves, each used once by the network; \param ranks must outlive this
    GradientBuckets(std::vector<torch::Tensor> parameters, TrainingRanks& ranks);
    GradientBuckets(const GradientBuckets&) = delete;
    GradientBuckets& operator=(const GradientBuckets&) = delete;
    ~GradientBuckets();

    /// Begin a step; `extras` are summed over the ranks, too, and are not to be touched before finish().
    /// \collective
    void start(std::vector<float>& extras);

    /// Wait for all sums and make them the parameters' gradients. \collective
    void finish();

    /// Seconds that finish() has waited for, in all.
    [[nodiscard]] double waited_seconds() const { return waited_; }
    [[nodiscard]] std::size_t buckets() const { return buckets_.size(); }

  private:
    struct Bucket
    {
        torch::Tensor values;  ///< flat, float32; on the host unless the ranks sum device memory
        std::size_t parameters = 0;
        std::size_t missing = 0;
    };
    struct Place
    {
        std::size_t bucket = 0;
        torch::Tensor values;  ///< the parameter's part of the bucket, in its shape
    };

    void arrived(std::size_t parameter, const torch::Tensor& gradient);
    void launch_full_ones();
    void launch(Bucket& bucket);

    std::vector<torch::Tensor> parameters_;
    TrainingRanks& ranks_;
    std::vector<Place> places_;
    std::vector<Bucket> buckets_;
    std::vector<unsigned> hooks_;
    std::size_t next_ = 0;  ///< first bucket that is not being summed
    double waited_ = 0;
};

}  // namespace flipstorm
