#include "hdf5_schema/row_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "hdf5_schema/seal.hpp"

namespace flipstorm
{
namespace
{

void check_mpi(int code)
{
    FS_CHECK(MpiError, code == MPI_SUCCESS, "MPI error {} while a file was written", code);
}

/// Give all ranks the text of rank 0.
void broadcast(std::string& text, MPI_Comm communicator)
{
    auto length = static_cast<int>(text.size());
    check_mpi(MPI_Bcast(&length, 1, MPI_INT, 0, communicator));
    text.resize(static_cast<std::size_t>(length));
    check_mpi(MPI_Bcast(text.data(), length, MPI_CHAR, 0, communicator));
}

/// Bytes that the columns take in the file at most: their values, uncompressed, and HDF5's own.
std::uint64_t column_bytes(const std::vector<RowColumn>& columns, std::uint64_t rows)
{
    constexpr std::uint64_t kOverhead = std::uint64_t{1} << 16U;
    constexpr std::uint64_t kColumnOverhead = 4096;
    std::uint64_t bytes = kOverhead;
    for (const RowColumn& column : columns)
        bytes += kColumnOverhead + rows * std::max<hsize_t>(1, column.width) * column.element_bytes;
    return bytes;
}

}  // namespace

void write_rows_together(const std::filesystem::path& file, const FileSpec& spec,
                         const Provenance& provenance, const std::function<void(H5Writer&)>& write_small,
                         const std::vector<RowColumn>& columns, hsize_t first_row, hsize_t total_rows,
                         MPI_Comm communicator)
{
    // Rank 0 alone writes the small tables and declares the large ones: what one process writes need not
    // agree between ranks. Then all ranks fill in their rows together, and rank 0 gives the file its name.
    const bool parallel = communicator != MPI_COMM_NULL;
    int rank = 0;
    if (parallel) check_mpi(MPI_Comm_rank(communicator, &rank));
    std::string failure;
    std::string temporary;
    if (rank == 0)
    {
        try
        {
            H5Writer out(file, spec, provenance);
            write_small(out);
            for (const RowColumn& column : columns)
            {
                out.declare(column.path, column.width > 0 ? std::vector<hsize_t>{total_rows, column.width}
                                                          : std::vector<hsize_t>{total_rows});
            }
            temporary = out.hand_over().string();
            // A rank that finds the disk full while all write leaves the others waiting: find out before.
            reserve_space(temporary,
                          std::filesystem::file_size(temporary) + column_bytes(columns, total_rows));
        }
        catch (const std::exception& error)
        {
            failure = error.what();
            ::unlink(temporary.c_str());
        }
    }
    int failed = failure.empty() ? 0 : 1;
    if (parallel) check_mpi(MPI_Bcast(&failed, 1, MPI_INT, 0, communicator));
    FS_CHECK(FileError, failed == 0, "{}",
             rank == 0 ? failure : fmt::format("rank 0 could not create '{}'", file.string()));
    if (parallel) broadcast(temporary, communicator);
    if (total_rows > 0)
    {
        H5Handle open;
        try
        {
            open = h5_open_to_write(temporary, communicator);
            for (const RowColumn& column : columns)
            {
                h5_write_rows(open, column.path, column.type, column.values, first_row, column.rows,
                              parallel);
            }
        }
        catch (...)
        {
            if (parallel) open.abandon();  // closing is collective, and the others may be waiting elsewhere
            ::unlink(temporary.c_str());
            throw;
        }
        const bool closed = open.reset();
        if (!closed) ::unlink(temporary.c_str());
        FS_CHECK(FileError, closed, "cannot close '{}': is the disk full?", temporary);
    }
    if (parallel) check_mpi(MPI_Barrier(communicator));
    if (rank == 0)
    {
        try
        {
            seal_file(temporary);
        }
        catch (...)
        {
            ::unlink(temporary.c_str());
            throw;
        }
        publish_file(temporary, file);
    }
    if (parallel) check_mpi(MPI_Barrier(communicator));
}

}  // namespace flipstorm
