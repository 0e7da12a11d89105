#pragma once
// What a dataset or an attribute can hold at most, judged by the bytes of its file: a damaged header may
// declare any size, which is believed only where the file could hold the values. Internal to this room.

#include <hdf5.h>

#include <cstdint>
#include <string>
#include <vector>

namespace flipstorm
{

/// Sizes of the dimensions of a dataspace. \throws FileError
[[nodiscard]] std::vector<hsize_t> h5_dims(hid_t space, const std::string& where);

/**
 * Number of values of a dataset, all of which the file holds.
 *
 * Contiguous values take the bytes they declare. Chunks that are deflated hold at most 1032 times their bytes
 * (the most that deflate can do), and every chunk must be there: HDF5 reads one that is missing as zeros.
 * Values in other files (external, virtual) are refused.
 *
 * \param file_bytes  length of the file  \throws FileError: `where`, then what is wrong
 */
[[nodiscard]] std::size_t h5_stored_values(hid_t dataset, std::uint64_t file_bytes, const std::string& where);

/// Number of values of an attribute, not more than the file can hold. \throws FileError
[[nodiscard]] std::size_t h5_attribute_values(hid_t attribute, std::uint64_t file_bytes,
                                              const std::string& where);

}  // namespace flipstorm
