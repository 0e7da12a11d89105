#pragma once
// The columns of how layers are kept, as protection.h5 and protected.h5 have them under /plan. Internal to
// this room.

#include <vector>

#include "hdf5_schema/h5_reader.hpp"
#include "hdf5_schema/h5_writer.hpp"
#include "hdf5_schema/protection_file.hpp"
#include "hdf5_schema/schema.hpp"

namespace flipstorm
{

[[nodiscard]] std::vector<DatasetSpec> layer_protection_columns();

/// \throws FileError
void write_layer_protection(H5Writer& out, const std::vector<LayerProtection>& plan);

/// \throws FileError unless every layer can be kept so
[[nodiscard]] std::vector<LayerProtection> read_layer_protection(const H5Reader& in);

}  // namespace flipstorm
