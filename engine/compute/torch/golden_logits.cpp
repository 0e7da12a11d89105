#include "engine/compute/torch/golden_logits.hpp"

#include <algorithm>
#include <numeric>

#include "engine/base/parallel.hpp"
#include "engine/compute/integer/integer_logits.hpp"
#include "engine/compute/torch/executor.hpp"

namespace flipstorm
{

namespace
{

/// The same of a network of whole numbers.
std::vector<float> integer_part(const Network& network, const ImageSet& images, std::int64_t batch,
                                int threads, std::int64_t part, std::int64_t parts)
{
    if (parts == 1) return integer_logits(network, images, 0, images.size(), threads);
    std::vector<float> logits(static_cast<std::size_t>(images.size() * network.num_classes), 0);
    for (std::int64_t first = part * batch; first < images.size(); first += parts * batch)
    {
        const std::vector<float> some =
            integer_logits(network, images, first, std::min(batch, images.size() - first), threads);
        std::copy(some.begin(), some.end(), logits.begin() + first * network.num_classes);
    }
    return logits;
}

}  // namespace

std::vector<float> golden_logits(const Network& network, const ImageSet& images, Device device,
                                 std::int64_t batch, int threads, std::int64_t part, std::int64_t parts)
{
    if (network.computes_in_integers()) return integer_part(network, images, batch, threads, part, parts);
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
