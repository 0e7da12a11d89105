#pragma once
// Words of a memory as data sets of their width.

#include <cstdint>
#include <string>
#include <vector>

#include "hdf5_schema/h5_reader.hpp"
#include "hdf5_schema/h5_writer.hpp"

namespace flipstorm
{

/// Words in an unsigned type of their width. \param bits  8, 16 or 32 \throws Error for other ones; FileError
void write_words(H5Writer& out, const std::string& path, const std::vector<std::uint32_t>& words, int bits,
                 const std::vector<hsize_t>& dims);

/// What write_words wrote. \throws FileError, also for other widths
[[nodiscard]] std::vector<std::uint32_t> read_words(const H5Reader& in, const std::string& path, int bits);

}  // namespace flipstorm
