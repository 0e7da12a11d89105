#include "engine/compute/torch/golden_logits.hpp"

#include <algorithm>
#include <numeric>

#include "engine/base/parallel.hpp"
#include "engine/compute/torch/executor.hpp"

namespace flipstorm
{

std::vector<float> golden_logits(const Network& network, const ImageSet& images, Device device,
                                 std::int64_t batch, int threads, std::int64_t part, std::int64_t parts)
{
    const Executor executor(network, torch_device(device));
    std::vector<float> logits(static_cast<std::size_t>(images.size() * network.num_classes), 0);
    const std::int64_t batches = (images.size() + batch - 1) / batch;
    parallel_for((batches - part + parts - 1) / parts, threads, [&](std::int64_t k) {
        const std::int64_t b = part + k * parts;
        const c10::InferenceMode no_gradients;
        std::vector<std::int64_t> indices(
            static_cast<std::size_t>(std::min(batch, images.size() - b * batch)));
        std::iota(indices.begin(), indices.end(), b * batch);
        const torch::Tensor values =
            executor.forward(image_batch(images, indices, network.normalisation, executor.device()))
                .to(torch::kCPU)
                .contiguous();
        std::copy_n(values.data_ptr<float>(), values.numel(),
                    logits.data() + b * batch * network.num_classes);
    });
    return logits;
}

}  // namespace flipstorm
