#include "engine/data/dataset.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/error.hpp"
#include "engine/base/sha256.hpp"

namespace flipstorm
{

std::string ImageSet::place_of(std::int64_t image) const
{
    const auto after = std::find_if(files.begin(), files.end(),
                                    [image](const LabelFile& file) { return file.first > image; });
    if (after == files.begin()) return fmt::format("image {}", image);
    const LabelFile& file = *std::prev(after);
    return fmt::format("image {} of '{}'", image - file.first, file.name);
}

ImageSet ImageSet::head(std::int64_t count) const
{
    FS_CHECK(DataError, count > 0 && count <= size(), "asked for {} of {} images", count, size());
    ImageSet first{channels, height, width, {}, {}, files};
    first.pixels.assign(pixels.begin(), pixels.begin() + count * image_bytes());
    first.labels.assign(labels.begin(), labels.begin() + count);
    return first;
}

std::int32_t class_count(const ImageSet& images)
{
    const auto largest = std::max_element(images.labels.begin(), images.labels.end());
    return largest == images.labels.end() ? 2 : std::max(2, *largest + 1);
}

void shift_labels(ImageSet& images, std::int64_t offset)
{
    for (std::int64_t n = 0; n < images.size(); ++n)
    {
        std::int32_t& label = images.labels[static_cast<std::size_t>(n)];
        const std::int64_t shifted = label - offset;
        FS_CHECK(DataError, shifted >= 0,
                 "label {} of {} is {} with data.label_offset = {} subtracted; classes count from 0, so the "
                 "offset is the smallest label of the data set",
                 label, images.place_of(n), shifted, offset);
        FS_CHECK(DataError, shifted < std::numeric_limits<std::int32_t>::max(),
                 "label {} of {} is {} with data.label_offset = {} subtracted: too large", label,
                 images.place_of(n), shifted, offset);
        label = static_cast<std::int32_t>(shifted);
    }
}

Normalisation measure_normalisation(const ImageSet& images)
{
    const std::int64_t plane = images.height * images.width;
    Normalisation result;
    for (std::int64_t c = 0; c < images.channels; ++c)
    {
        std::uint64_t sum = 0;
        std::uint64_t squares = 0;
        for (std::int64_t n = 0; n < images.size(); ++n)
        {
            const std::uint8_t* pixel = images.pixels.data() + n * images.image_bytes() + c * plane;
            for (std::int64_t i = 0; i < plane; ++i)
            {
                sum += pixel[i];
                squares += static_cast<std::uint64_t>(pixel[i]) * pixel[i];
            }
        }
        const double count = static_cast<double>(images.size() * plane);
        const double mean = static_cast<double>(sum) / count / 255.0;
        const double variance = static_cast<double>(squares) / count / (255.0 * 255.0) - mean * mean;
        result.mean.push_back(static_cast<float>(mean));
        result.std_dev.push_back(variance > 0 ? static_cast<float>(std::sqrt(variance)) : 1.0F);
    }
    return result;
}

void normalise(const ImageSet& images, const std::vector<std::int64_t>& indices,
               const Normalisation& normalisation, float* out)
{
    const auto channels = static_cast<std::size_t>(images.channels);
    FS_REQUIRE(normalisation.mean.size() == channels && normalisation.std_dev.size() == channels,
               "a normalisation of {} channels for images of {}", normalisation.mean.size(), channels);
    const std::int64_t plane = images.height * images.width;
    for (const std::int64_t index : indices)
    {
        const std::uint8_t* pixel = images.pixels.data() + index * images.image_bytes();
        for (std::size_t c = 0; c < channels; ++c)
        {
            const float mean = normalisation.mean[c];
            const float std_dev = normalisation.std_dev[c];
            for (std::int64_t i = 0; i < plane; ++i)
            {
                *out++ = (static_cast<float>(*pixel++) / 255.0F - mean) / std_dev;
            }
        }
    }
}

std::string digest(const ImageSet& images)
{
    Sha256 hash;
    hash.update(fmt::format("{}x{}x{}x{}", images.size(), images.channels, images.height, images.width));
    hash.update(images.pixels.data(), images.pixels.size());
    hash.update(images.labels.data(), images.labels.size() * sizeof(std::int32_t));
    return hash.hex();
}

void check_images(const ImageSet& images, std::int32_t num_classes, const std::string& where)
{
    FS_CHECK(DataError, images.size() > 0, "{}: no images", where);
    FS_CHECK(DataError,
             images.pixels.size() == static_cast<std::size_t>(images.size() * images.image_bytes()),
             "{}: {} labels for {} bytes of images of {} bytes each", where, images.size(),
             images.pixels.size(), images.image_bytes());
    const auto is_class = [num_classes](std::int32_t label) { return label >= 0 && label < num_classes; };
    const auto bad = std::find_if_not(images.labels.begin(), images.labels.end(), is_class);
    if (bad == images.labels.end()) return;
    const auto [low, high] = std::minmax_element(images.labels.begin(), images.labels.end());
    const std::string remedy =
        *low > 0 && *high - *low < num_classes
            ? fmt::format(
                  "the labels begin at {0}, so raise data.label_offset, which is subtracted from them, by "
                  "{0}",
                  *low)
            : fmt::format(
                  "data.label_offset is subtracted from every label; else take a model of {} classes "
                  "or another data set",
                  static_cast<std::int64_t>(*high) + 1);
    throw DataError("{}: label {} of {} is not in 0 … {} ({} classes); {}", where, *bad,
                    images.place_of(bad - images.labels.begin()), num_classes - 1, num_classes, remedy);
}

void check_dataset(const Dataset& dataset, const std::string& where)
{
    check_images(dataset.train, dataset.num_classes, where + ", training set");
    check_images(dataset.test, dataset.num_classes, where + ", test set");
    FS_CHECK(DataError,
             dataset.train.channels == dataset.test.channels && dataset.train.height == dataset.test.height &&
                 dataset.train.width == dataset.test.width,
             "{}: training images are {}x{}x{}, test images {}x{}x{} (C×H×W); they must be alike", where,
             dataset.train.channels, dataset.train.height, dataset.train.width, dataset.test.channels,
             dataset.test.height, dataset.test.width);
}

}  // namespace flipstorm
