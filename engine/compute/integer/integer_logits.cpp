#include "engine/compute/integer/integer_logits.hpp"

#include <algorithm>

#include "engine/base/parallel.hpp"
#include "engine/compute/integer/integer_pool.hpp"

namespace flipstorm
{

std::vector<float> integer_logits(const Network& network, const ImageSet& images, std::int64_t first,
                                  std::int64_t count, int threads)
{
    constexpr std::int64_t kImages = 64;
    IntegerNetwork lowered = integer_network(network);
    std::vector<float> logits(static_cast<std::size_t>(count * network.num_classes));
    with_word(lowered.word_bits, [&](auto word) {
        const IntegerModel<decltype(word)> model(std::move(lowered));
        IntegerPool<decltype(word)> pool(model);
        parallel_for((count + kImages - 1) / kImages, threads, [&](std::int64_t batch) {
            auto image = pool.take();
            std::vector<float> pixels(static_cast<std::size_t>(elements(network.graph.input_shape())));
            for (std::int64_t n = batch * kImages; n < std::min((batch + 1) * kImages, count); ++n)
            {
                normalise(images, {first + n}, network.normalisation, pixels.data());
                const std::vector<float>& of_image = image->pass(pixels.data());
                std::copy(of_image.begin(), of_image.end(),
                          logits.begin() + static_cast<std::ptrdiff_t>(n * network.num_classes));
            }
            pool.give_back(std::move(image));
        });
    });
    return logits;
}

}  // namespace flipstorm
