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
 * What the header announces is not believed beyond what the file can hold, packed or not, and what fits into
 * the machine's memory.
 *
 * \throws FileError if it cannot be opened or unpacked, or is no regular file; DataError if it is no IDX file
 * of bytes, or is shorter or longer than its header says.
 */
IdxArray read_idx(const std::filesystem::path& file);

/**
 * Read an IDX file of one dimension whose values are unsigned bytes (type 0x08) or signed big-endian numbers
 * of 16 (0x0B) or 32 bits (0x0C). \throws as read_idx
 */
std::vector<std::int32_t> read_idx_labels(const std::filesystem::path& file);

/**
 * Read the test images of a folder alone; see read_idx_dataset.
 * \throws as read_idx_dataset
 */
ImageSet read_idx_test_images(const std::filesystem::path& folder);

/**
 * Read a data set: images and labels of training and test, as find_idx_files finds them.
 *
 * Classes: class_count of the training labels; that the labels are classes is not checked. Normalisation:
 * measured on the training images.
 * \throws JobError, FileError: see find_idx_files; DataError if images and labels do not fit.
 */
Dataset read_idx_dataset(const std::filesystem::path& folder);

}  // namespace flipstorm
