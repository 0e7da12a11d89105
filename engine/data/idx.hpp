#pragma once
// Readers for the IDX format of MNIST and its relatives, plain or gzip.

#include <cstdint>
#include <filesystem>
#include <vector>

#include "engine/data/dataset.hpp"

namespace flipstorm
{

/// Content of one IDX file of unsigned bytes.
struct IdxArray
{
    std::vector<std::int64_t> shape;
    std::vector<std::uint8_t> values;  ///< row-major
};

/**
 * Read an IDX file (two zero bytes, type 0x08 = unsigned byte, number of dimensions, big-endian uint32 sizes,
 * values; LeCun et al., yann.lecun.com/exdb/mnist), plain or gzip.
 *
 * \throws FileError if it cannot be opened or unpacked; DataError if it is no IDX file of bytes, is shorter
 * or longer than its header says, or is larger than 2^40 bytes.
 */
IdxArray read_idx(const std::filesystem::path& file);

/**
 * Read the test images of a folder alone; see read_idx_dataset. Labels are not checked against the classes.
 * \throws as read_idx_dataset
 */
ImageSet read_idx_test_images(const std::filesystem::path& folder);

/**
 * Read the four files `{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz]` of a folder.
 *
 * Classes: largest label + 1 (at least 2). Normalisation: measured on the training images.
 * \throws FileError, naming the file that is missing; DataError if images and labels do not fit.
 */
Dataset read_idx_dataset(const std::filesystem::path& folder);

}  // namespace flipstorm
