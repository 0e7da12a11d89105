#pragma once
// Random changes to training images. Pure functions of (seed, epoch, image), so that an image is changed in
// the same way whichever rank has it. No LibTorch.

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/data/dataset.hpp"

namespace flipstorm
{

/// What is done to the training images.
enum class Augment
{
    none,
    crop_flip,  ///< moved by up to 4 pixels each way, black pixels behind; mirrored left-right with
                ///< probability 1/2
};

/// Augmentation of that name. \throws JobError naming the known ones.
[[nodiscard]] Augment augment_from(std::string_view name);

/// How one image is changed.
struct CropFlip
{
    std::int64_t down = 0;   ///< row r of the result is row r + down of the image, −4 … 4
    std::int64_t right = 0;  ///< column c of the result is column c + right of the image, −4 … 4
    bool mirrored = false;   ///< the cropped image is then mirrored left-right
};

/// The crop of 4 pixels padding and the flip of an image in an epoch: 9 · 9 · 2 equally likely ones.
[[nodiscard]] CropFlip draw_crop_flip(std::uint64_t seed, std::int64_t epoch, std::int64_t image);

/**
 * Crop, mirror and normalise images; a pixel from outside an image is 0 before the normalisation.
 *
 * \param indices  which images, in which order
 * \param out      float[indices, channels, height, width]
 * \throws Error if the normalisation has another number of channels. Thread-safe.
 */
void crop_flip(const ImageSet& images, const std::vector<std::int64_t>& indices,
               const Normalisation& normalisation, std::uint64_t seed, std::int64_t epoch, float* out);

}  // namespace flipstorm
