#pragma once
// A synthetic image set for tests and first steps: small, deterministic, learnable by a small CNN.

#include <cstdint>

#include "engine/data/dataset.hpp"

namespace flipstorm
{

/// Size of a synthetic data set.
struct SyntheticSize
{
    std::int64_t train = 4000;
    std::int64_t test = 2000;
    std::int64_t channels = 1;
    std::int64_t height = 28;
    std::int64_t width = 28;
    std::int32_t classes = 10;
};

/**
 * Each class is a pattern of five soft blobs; an image is its class pattern moved by up to two pixels, scaled
 * in brightness, with noise. A function of (seed, size) alone; the test images are not among the training
 * images. Classes take turns, so every prefix is balanced.
 */
Dataset make_synthetic_dataset(std::uint64_t seed, const SyntheticSize& size = {});

/// The test images of make_synthetic_dataset alone.
ImageSet make_synthetic_test_images(std::uint64_t seed, const SyntheticSize& size = {});

}  // namespace flipstorm
