#include "engine/evaluate/golden_logits.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/base/error.hpp"
#include "engine/base/parallel.hpp"

namespace flipstorm
{

void check_test_images(const Network& network, const ImageSet& images)
{
    FS_CHECK(DataError, images.size() > 0, "no test images");
    FS_CHECK(DataError, network.graph.input_shape() == (Shape{images.channels, images.height, images.width}),
             "the network takes {}x{}x{} images (C×H×W), the test images are {}x{}x{}",
             network.graph.input_shape()[0], network.graph.input_shape()[1], network.graph.input_shape()[2],
             images.channels, images.height, images.width);
    FS_CHECK(DataError, network.num_classes > 1, "a network with {} class cannot mispredict",
             network.num_classes);
}

torch::Tensor golden_logits(const Executor& executor, const Network& network, const ImageSet& images,
                            std::int64_t batch, int threads, std::int64_t part, std::int64_t parts)
{
    torch::Tensor logits = torch::zeros({images.size(), network.num_classes}, torch::kFloat32);
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
                    logits.data_ptr<float>() + b * batch * network.num_classes);
    });
    return logits;
}

Golden golden_of(const torch::Tensor& logits, const std::vector<std::int32_t>& labels)
{
    Golden golden;
    golden.label = labels;
    const std::int64_t classes = logits.size(1);
    for (std::int64_t n = 0; n < logits.size(0); ++n)
    {
        const float* row = logits.data_ptr<float>() + n * classes;
        FS_CHECK(DataError, std::all_of(row, row + classes, [](float z) { return std::isfinite(z); }),
                 "the fault-free network gives a non-finite logit for test image {}", n);
        const float* top = std::max_element(row, row + classes);
        float rival = -std::numeric_limits<float>::infinity();
        for (const float* z = row; z != row + classes; ++z)
        {
            if (z != top) rival = std::max(rival, *z);
        }
        golden.top1.push_back(static_cast<std::int32_t>(top - row));
        golden.margin.push_back(*top - rival);
    }
    for (std::size_t i = 0; i < golden.label.size(); ++i)
        golden.correct += golden.label[i] == golden.top1[i] ? 1U : 0U;
    return golden;
}

}  // namespace flipstorm
