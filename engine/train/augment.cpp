#include "engine/train/augment.hpp"

#include <algorithm>
#include <array>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"

namespace flipstorm
{
namespace
{

constexpr std::int64_t kPadding = 4;

/// Normalised value of every byte, per channel.
std::vector<std::array<float, 256>> tables_of(const Normalisation& normalisation)
{
    std::vector<std::array<float, 256>> tables(normalisation.mean.size());
    for (std::size_t c = 0; c < tables.size(); ++c)
    {
        for (std::size_t pixel = 0; pixel < 256; ++pixel)
        {
            tables[c][pixel] =
                (static_cast<float>(pixel) / 255.0F - normalisation.mean[c]) / normalisation.std_dev[c];
        }
    }
    return tables;
}

}  // namespace

Augment augment_from(std::string_view name)
{
    if (name == "none") return Augment::none;
    if (name == "crop_flip") return Augment::crop_flip;
    throw JobError("train.augment: '{}' is not known; this build has: none, crop_flip", name);
}

CropFlip draw_crop_flip(std::uint64_t seed, std::int64_t epoch, std::int64_t image)
{
    constexpr std::uint64_t kPlaces = 2 * kPadding + 1;
    const auto stream = (static_cast<std::uint64_t>(epoch) << 40U) | static_cast<std::uint64_t>(image);
    RandomStream random(seed, RandomPurpose::augment, stream);
    const auto place = [&random] { return static_cast<std::int64_t>(random.below(kPlaces)) - kPadding; };
    CropFlip change;
    change.down = place();
    change.right = place();
    change.mirrored = random.below(2) == 1;
    return change;
}

void crop_flip(const ImageSet& images, const std::vector<std::int64_t>& indices,
               const Normalisation& normalisation, std::uint64_t seed, std::int64_t epoch, float* out)
{
    const auto channels = static_cast<std::size_t>(images.channels);
    FS_REQUIRE(normalisation.mean.size() == channels && normalisation.std_dev.size() == channels,
               "a normalisation of {} channels for images of {}", normalisation.mean.size(), channels);
    const std::vector<std::array<float, 256>> tables = tables_of(normalisation);
    const std::int64_t height = images.height;
    const std::int64_t width = images.width;
    for (const std::int64_t index : indices)
    {
        const CropFlip change = draw_crop_flip(seed, epoch, index);
        // Columns of the result that lie in the image, before mirroring.
        const std::int64_t first = std::clamp<std::int64_t>(-change.right, 0, width);
        const std::int64_t last = std::clamp<std::int64_t>(width - change.right, 0, width);
        for (std::size_t c = 0; c < channels; ++c)
        {
            const std::array<float, 256>& value = tables[c];
            const std::uint8_t* plane = images.pixels.data() + index * images.image_bytes() +
                                        static_cast<std::int64_t>(c) * height * width;
            for (std::int64_t row = 0; row < height; ++row, out += width)
            {
                const std::int64_t from = row + change.down;
                std::fill_n(out, width, value[0]);
                if (from < 0 || from >= height) continue;
                const std::uint8_t* pixel = plane + from * width + change.right;
                for (std::int64_t column = first; column < last; ++column)
                    out[change.mirrored ? width - 1 - column : column] = value[pixel[column]];
            }
        }
    }
}

}  // namespace flipstorm
