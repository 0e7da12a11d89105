#include "engine/data/synthetic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/base/philox.hpp"

namespace flipstorm
{
namespace
{

struct Blob
{
    double row;
    double column;
    double radius;
    double height;
};

/// Blobs of a class in one channel.
std::vector<Blob> pattern(std::uint64_t seed, const SyntheticSize& size, std::int32_t label,
                          std::int64_t channel)
{
    RandomStream random(seed, RandomPurpose::synthetic,
                        static_cast<std::uint64_t>(label) * 1000 + static_cast<std::uint64_t>(channel));
    std::vector<Blob> blobs(5);
    for (Blob& blob : blobs)
    {
        blob.row = (0.15 + 0.7 * random.uniform()) * static_cast<double>(size.height);
        blob.column = (0.15 + 0.7 * random.uniform()) * static_cast<double>(size.width);
        blob.radius = (0.06 + 0.08 * random.uniform()) * static_cast<double>(size.height);
        blob.height = 0.5 + 0.5 * random.uniform();
    }
    return blobs;
}

ImageSet make_images(std::uint64_t seed, const SyntheticSize& size, std::int64_t count, std::uint64_t stream)
{
    ImageSet set{size.channels, size.height, size.width, {}, {}};
    set.pixels.reserve(static_cast<std::size_t>(count * set.image_bytes()));
    std::vector<std::vector<Blob>> patterns;
    for (std::int32_t label = 0; label < size.classes; ++label)
    {
        for (std::int64_t c = 0; c < size.channels; ++c)
            patterns.push_back(pattern(seed, size, label, c));
    }
    for (std::int64_t n = 0; n < count; ++n)
    {
        const auto label = static_cast<std::int32_t>(n % size.classes);
        RandomStream random(seed, RandomPurpose::synthetic, stream + static_cast<std::uint64_t>(n));
        const double down = static_cast<double>(random.below(5)) - 2.0;
        const double right = static_cast<double>(random.below(5)) - 2.0;
        const double gain = 0.7 + 0.3 * random.uniform();
        for (std::int64_t c = 0; c < size.channels; ++c)
        {
            for (std::int64_t i = 0; i < size.height; ++i)
            {
                for (std::int64_t j = 0; j < size.width; ++j)
                {
                    double light = 0;
                    for (const Blob& blob : patterns[static_cast<std::size_t>(label * size.channels + c)])
                    {
                        const double y = (static_cast<double>(i) - blob.row - down) / blob.radius;
                        const double x = (static_cast<double>(j) - blob.column - right) / blob.radius;
                        light += blob.height * std::exp(-0.5 * (x * x + y * y));
                    }
                    light = gain * std::min(light, 1.0) + 0.30 * (random.uniform() - 0.5) + 0.15;
                    set.pixels.push_back(static_cast<std::uint8_t>(255.0 * std::clamp(light, 0.0, 1.0)));
                }
            }
        }
        set.labels.push_back(label);
    }
    return set;
}

}  // namespace

ImageSet make_synthetic_test_images(std::uint64_t seed, const SyntheticSize& size)
{
    constexpr std::uint64_t kTestStream = std::uint64_t{2} << 40U;
    return make_images(seed, size, size.test, kTestStream);
}

Dataset make_synthetic_dataset(std::uint64_t seed, const SyntheticSize& size)
{
    constexpr std::uint64_t kTrainStream = std::uint64_t{1} << 40U;
    Dataset dataset;
    dataset.train = make_images(seed, size, size.train, kTrainStream);
    dataset.test = make_synthetic_test_images(seed, size);
    dataset.num_classes = size.classes;
    dataset.normalisation = measure_normalisation(dataset.train);
    dataset.normalisation_source = fmt::format("measured on the {} training images", dataset.train.size());
    return dataset;
}

}  // namespace flipstorm
