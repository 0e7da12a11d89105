#include "engine/compute/integer/integer_logits.hpp"

#include <algorithm>
#include <numeric>

#include "engine/base/parallel.hpp"
#include "engine/compute/integer/integer_pool.hpp"

namespace flipstorm
{

class IntegerPasses::Implementation
{
  public:
    Implementation() = default;
    virtual ~Implementation() = default;
    Implementation(const Implementation&) = delete;
    Implementation& operator=(const Implementation&) = delete;

    [[nodiscard]] virtual std::vector<float> logits(const float* images, std::int64_t count,
                                                    int threads) const = 0;
};

template<class Word>
class IntegerPasses::OfWord : public IntegerPasses::Implementation
{
  public:
    explicit OfWord(IntegerNetwork network) : model_(std::move(network)), pool_(model_) {}

    [[nodiscard]] std::vector<float> logits(const float* images, std::int64_t count,
                                            int threads) const override
    {
        constexpr std::int64_t kImages = 32;
        const Graph& graph = model_.graph();
        const std::int64_t pixels = elements(graph.input_shape());
        const std::int64_t classes = elements(graph.node(graph.output()).shape);
        std::vector<float> logits(static_cast<std::size_t>(count * classes));
        parallel_for((count + kImages - 1) / kImages, threads, [&](std::int64_t batch) {
            auto image = pool_.take();
            for (std::int64_t n = batch * kImages; n < std::min((batch + 1) * kImages, count); ++n)
            {
                const std::vector<float>& of_image = image->pass(images + n * pixels);
                std::copy(of_image.begin(), of_image.end(), logits.begin() + n * classes);
            }
            pool_.give_back(std::move(image));
        });
        return logits;
    }

  private:
    IntegerModel<Word> model_;
    mutable IntegerPool<Word> pool_;
};

IntegerPasses::IntegerPasses(const Network& network)
{
    IntegerNetwork lowered = integer_network(network);
    with_word(lowered.word_bits, [&](auto word) {
        implementation_ = std::make_unique<OfWord<decltype(word)>>(std::move(lowered));
    });
}

IntegerPasses::~IntegerPasses() = default;

std::vector<float> IntegerPasses::logits(const float* images, std::int64_t count, int threads) const
{
    return implementation_->logits(images, count, threads);
}

std::vector<float> integer_logits(const Network& network, const ImageSet& images, std::int64_t first,
                                  std::int64_t count, int threads)
{
    constexpr std::int64_t kTogether = 1024;
    const IntegerPasses passes(network);
    std::vector<float> logits;
    std::vector<float> pixels;
    for (std::int64_t done = 0; done < count; done += kTogether)
    {
        std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(kTogether, count - done)));
        std::iota(indices.begin(), indices.end(), first + done);
        pixels.resize(indices.size() * static_cast<std::size_t>(elements(network.graph.input_shape())));
        normalise(images, indices, network.normalisation, pixels.data());
        const std::vector<float> some =
            passes.logits(pixels.data(), static_cast<std::int64_t>(indices.size()), threads);
        logits.insert(logits.end(), some.begin(), some.end());
    }
    return logits;
}

}  // namespace flipstorm
