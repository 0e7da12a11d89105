#pragma once
// Readers for the binary versions of CIFAR-10 and CIFAR-100.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/data/dataset.hpp"

namespace flipstorm
{

/// One of the CIFAR data sets (Krizhevsky, 2009; www.cs.toronto.edu/~kriz/cifar.html).
enum class Cifar
{
    cifar10,          ///< data_batch_1.bin … data_batch_5.bin, test_batch.bin; 10 classes
    cifar100,         ///< train.bin, test.bin; 100 fine classes
    cifar100_coarse,  ///< the same files; their 20 superclasses
};

/**
 * Read a data set from a folder, or from the folder cifar-10-batches-bin or cifar-100-binary in it, as the
 * archives unpack.
 *
 * A record is one label byte (CIFAR-100: coarse label, fine label), then 3×32×32 bytes [C, H, W]; a file
 * holds any number of records, 10,000 or 50,000 usually. The normalisation is the one in general use,
 * measured on the training images.
 *
 * \throws FileError if the folder or a file is missing (telling what is there instead: the Python version, an
 * archive that is not unpacked), is no regular file or cannot be read; DataError that names file and
 * record if a file is empty, no whole number of records, or has a label out of range.
 */
Dataset read_cifar_dataset(Cifar which, const std::filesystem::path& folder);

/// The test images of read_cifar_dataset alone. \throws as read_cifar_dataset
ImageSet read_cifar_test_images(Cifar which, const std::filesystem::path& folder);

}  // namespace flipstorm
