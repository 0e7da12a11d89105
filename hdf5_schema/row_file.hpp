#pragma once
// Writes a file whose large tables many ranks fill in together, row by row. Internal to this room.

#include <mpi.h>

#include <functional>
#include <string>
#include <vector>

#include "hdf5_schema/h5_writer.hpp"

namespace flipstorm
{

/// A column of a table that grows with the faults: this rank's rows of it.
struct RowColumn
{
    std::string path;
    ElementType type;
    const void* values;
    hsize_t rows;
    hsize_t width = 0;  ///< values per row of a two-dimensional dataset; 0: one-dimensional
    std::size_t element_bytes = 0;
};

/// The column of a vector; `width` as in RowColumn.
template<class T>
RowColumn row_column(const std::string& path, const std::vector<T>& values, hsize_t width = 0)
{
    return {path,          H5Element<T>::kType,
            values.data(), width > 0 ? values.size() / width : values.size(),
            width,         sizeof(T)};
}

/**
 * Write a file under a temporary name, collectively, seal it, and rename it.
 *
 * Rank 0 alone writes what `write_small` writes and declares the columns; then all ranks write their rows,
 * [first_row, first_row + rows of a column), which together cover [0, total_rows) without overlap.
 *
 * \param communicator  MPI_COMM_NULL: one process, no MPI needed
 * \throws FileError. \collective
 */
void write_rows_together(const std::filesystem::path& file, const FileSpec& spec,
                         const Provenance& provenance, const std::function<void(H5Writer&)>& write_small,
                         const std::vector<RowColumn>& columns, hsize_t first_row, hsize_t total_rows,
                         MPI_Comm communicator);

}  // namespace flipstorm
