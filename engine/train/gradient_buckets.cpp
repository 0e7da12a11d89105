#include "engine/train/gradient_buckets.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/base/timing.hpp"

namespace flipstorm
{
namespace
{

/// About eight buckets, so that most of them travel while the backward pass runs; not smaller than what a
/// network sends in a few latencies, nor larger than pays off.
std::int64_t bucket_elements(std::int64_t elements)
{
    constexpr std::int64_t kSmallest = (std::int64_t{64} << 10U) / 4;
    constexpr std::int64_t kLargest = (std::int64_t{8} << 20U) / 4;
    return std::clamp(elements / 8, kSmallest, kLargest);
}

}  // namespace

GradientBuckets::GradientBuckets(std::vector<torch::Tensor> parameters, TrainingRanks& ranks)
    : parameters_(std::move(parameters)), ranks_(ranks), places_(parameters_.size())
{
    std::int64_t all = 0;
    for (const torch::Tensor& parameter : parameters_)
        all += parameter.numel();
    const std::int64_t wanted = bucket_elements(all);
    for (std::size_t end = parameters_.size(); end > 0;)
    {
        std::int64_t size = 0;
        std::size_t begin = end;
        while (begin > 0 && (size == 0 || size + parameters_[begin - 1].numel() <= wanted))
            size += parameters_[--begin].numel();
        const torch::Device device = ranks_.sums_device_memory() ? parameters_[begin].device() : torch::kCPU;
        Bucket bucket{torch::zeros({size}, torch::TensorOptions(torch::kFloat32).device(device)), end - begin,
                      0};
        std::int64_t offset = 0;
        for (std::size_t i = begin; i < end; ++i)
        {
            const std::int64_t length = parameters_[i].numel();
            places_[i] = {buckets_.size(),
                          bucket.values.narrow(0, offset, length).view(parameters_[i].sizes())};
            offset += length;
        }
        buckets_.push_back(std::move(bucket));
        end = begin;
    }
    for (std::size_t i = 0; i < parameters_.size(); ++i)
    {
        hooks_.push_back(
            parameters_[i].register_hook([this, i](const torch::Tensor& gradient) { arrived(i, gradient); }));
    }
}

GradientBuckets::~GradientBuckets()
{
    for (std::size_t i = 0; i < hooks_.size(); ++i)
        parameters_[i].remove_hook(hooks_[i]);
}

void GradientBuckets::start(std::vector<float>& extras)
{
    next_ = 0;
    for (Bucket& bucket : buckets_)
        bucket.missing = bucket.parameters;
    ranks_.begin_sum(extras.data(), extras.size(), Memory::host);
}

void GradientBuckets::arrived(std::size_t parameter, const torch::Tensor& gradient)
{
    const torch::NoGradGuard no_gradients;
    const Place& place = places_[parameter];
    Bucket& bucket = buckets_[place.bucket];
    FS_REQUIRE(bucket.missing > 0, "a parameter got a second gradient in one step");
    place.values.copy_(gradient);
    --bucket.missing;
    launch_full_ones();
    ranks_.advance();
}

void GradientBuckets::launch_full_ones()
{
    for (; next_ < buckets_.size() && buckets_[next_].missing == 0; ++next_)
        launch(buckets_[next_]);
}

void GradientBuckets::launch(Bucket& bucket)
{
    const bool on_gpu = bucket.values.is_cuda();
    // MPI knows nothing of CUDA's streams.
    if (on_gpu && !ranks_.follows_streams()) torch::cuda::synchronize(bucket.values.device().index());
    ranks_.begin_sum(bucket.values.data_ptr<float>(), static_cast<std::size_t>(bucket.values.numel()),
                     on_gpu ? Memory::gpu : Memory::host);
}

void GradientBuckets::finish()
{
    for (const Bucket& bucket : buckets_)
        FS_REQUIRE(bucket.missing == 0, "{} parameters of a bucket got no gradient", bucket.missing);
    const Stopwatch watch;
    ranks_.finish_sums();
    waited_ += watch.seconds();
    for (std::size_t i = 0; i < parameters_.size(); ++i)
        parameters_[i].mutable_grad() = places_[i].values.to(parameters_[i].device());
}

}  // namespace flipstorm
