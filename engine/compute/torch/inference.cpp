#include "engine/compute/torch/inference.hpp"

#include <omp.h>

#include <algorithm>
#include <numeric>

#include "engine/compute/integer/integer_logits.hpp"
#include "engine/compute/torch/executor.hpp"

namespace flipstorm
{

std::vector<float> logits_of(const Network& network, const ImageSet& images, Device device)
{
    if (network.computes_in_integers())
        return integer_logits(network, images, 0, images.size(), omp_get_max_threads());
    constexpr std::int64_t kBatch = 200;
    const c10::InferenceMode no_gradients;
    const Executor executor(network, torch_device(device));
    std::vector<float> logits;
    for (std::int64_t first = 0; first < images.size(); first += kBatch)
    {
        std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(kBatch, images.size() - first)));
        std::iota(indices.begin(), indices.end(), first);
        const torch::Tensor part =
            executor.forward(image_batch(images, indices, network.normalisation, executor.device()))
                .to(torch::kCPU)
                .contiguous();
        logits.insert(logits.end(), part.data_ptr<float>(), part.data_ptr<float>() + part.numel());
    }
    return logits;
}

}  // namespace flipstorm
