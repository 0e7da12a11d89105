#pragma once
// Labelled images as they lie on disk: bytes, and how they become the floats a network sees.

#include <cstdint>
#include <string>
#include <vector>

namespace flipstorm
{

/// Where labels were read from.
struct LabelFile
{
    std::string name;
    std::int64_t first = 0;  ///< image that the file begins with
};

/// Images of one size with their labels.
struct ImageSet
{
    std::int64_t channels = 0;
    std::int64_t height = 0;
    std::int64_t width = 0;
    std::vector<std::uint8_t> pixels;  ///< [images, channels, height, width]
    std::vector<std::int32_t> labels;  ///< [images], 0 … classes − 1
    std::vector<LabelFile> files{};    ///< in the order of the images; empty: from no file

    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
    [[nodiscard]] std::int64_t image_bytes() const { return channels * height * width; }

    /// An image, for a message: "image 3 of 'FILE'", counted within the file.
    [[nodiscard]] std::string place_of(std::int64_t image) const;

    /// The first `count` images. \throws DataError if there are fewer.
    [[nodiscard]] ImageSet head(std::int64_t count) const;
};

/// pixel / 255 → (x − mean) / std, per channel.
struct Normalisation
{
    std::vector<float> mean;
    std::vector<float> std_dev;
};

/// A data set for image classification.
struct Dataset
{
    ImageSet train;
    ImageSet test;
    std::int32_t num_classes = 0;
    Normalisation normalisation;         ///< the usual one of this data set
    std::string normalisation_source{};  ///< "measured on the 60000 training images", "usual for CIFAR-10"
};

/// Largest label plus one, at least 2.
[[nodiscard]] std::int32_t class_count(const ImageSet& images);

/**
 * Subtract `offset` from every label: data sets may count from another number than 0.
 *
 * \throws DataError, naming the first label that comes out negative (or too large for 32 bits), its image and
 * file.
 */
void shift_labels(ImageSet& images, std::int64_t offset);

/// Mean and standard deviation of pixel / 255 over all images, per channel.
[[nodiscard]] Normalisation measure_normalisation(const ImageSet& images);

/**
 * Normalise images.
 *
 * \param indices  which images, in which order
 * \param out      float[indices, channels, height, width]
 * \throws Error if the normalisation has another number of channels. Thread-safe.
 */
void normalise(const ImageSet& images, const std::vector<std::int64_t>& indices,
               const Normalisation& normalisation, float* out);

/// SHA-256 of size, pixels and labels.
[[nodiscard]] std::string digest(const ImageSet& images);

/**
 * Check that images and labels are equally many, at least one, and every label a class.
 *
 * \throws DataError that names `where`, the first bad label, its image and file, and what would be right.
 */
void check_images(const ImageSet& images, std::int32_t num_classes, const std::string& where);

/**
 * Check that training and test set fit each other and that every label is a class.
 *
 * \throws DataError that names `where`, the first bad label and what would be right.
 */
void check_dataset(const Dataset& dataset, const std::string& where);

}  // namespace flipstorm
