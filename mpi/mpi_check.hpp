#pragma once
// Every MPI call goes through FS_MPI, which turns an error code into an MpiError. This takes effect once
// MpiSession has set MPI_ERRORS_RETURN; before, MPI ends the process by itself.

#include <mpi.h>

namespace flipstorm
{

/// \throws MpiError with MPI's own text for `code`, the call and its place in the source.
[[noreturn]] void throw_mpi_error(int code, const char* call, const char* file, int line);

}  // namespace flipstorm

/// Make an MPI call. \throws MpiError unless it returns MPI_SUCCESS.
#define FS_MPI(call)                                                              \
    do                                                                            \
    {                                                                             \
        const int fs_mpi_code = (call);                                           \
        if (fs_mpi_code != MPI_SUCCESS)                                           \
        {                                                                         \
            ::flipstorm::throw_mpi_error(fs_mpi_code, #call, __FILE__, __LINE__); \
        }                                                                         \
    } while (false)
