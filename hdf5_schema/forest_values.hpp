#pragma once
// What the values of forest.h5 can be. Internal to this room.

#include "hdf5_schema/forest_file.hpp"
#include "hdf5_schema/h5_reader.hpp"

namespace flipstorm
{

/**
 * \throws FileError, naming what is wrong, unless the record of a file holds what a forest can be: shares
 * within 0 … 1, scores that are NaN only where there are none, trees whose children lie behind their parents.
 */
void check_forest_values(const H5Reader& in, const ForestRecord& forest);

}  // namespace flipstorm
