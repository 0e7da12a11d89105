#include "mpi/mpi_check.hpp"

#include <array>
#include <cstddef>
#include <string>

#include "engine/base/error.hpp"

namespace flipstorm
{

void throw_mpi_error(int code, const char* call, const char* file, int line)
{
    // MPI explains its errors only between start and end.
    int initialized = 0;
    int finalized = 0;
    MPI_Initialized(&initialized);
    MPI_Finalized(&finalized);
    std::array<char, MPI_MAX_ERROR_STRING + 1> text{};
    int length = 0;
    std::string reason = "unknown error";
    if (initialized != 0 && finalized == 0 && MPI_Error_string(code, text.data(), &length) == MPI_SUCCESS)
    {
        reason.assign(text.data(), static_cast<std::size_t>(length));
    }
    throw MpiError("MPI call failed: {} (code {}) in {} ({}:{})", reason, code, call, file, line);
}

}  // namespace flipstorm
