#include "mpi/gradient_reducer.hpp"

#if defined(OPEN_MPI) && OPEN_MPI
#include <mpi-ext.h>
#endif

#include <limits>

#include "engine/base/error.hpp"
#include "mpi/mpi_check.hpp"

namespace flipstorm
{
namespace
{

int as_int(std::size_t count)
{
    FS_REQUIRE(count <= static_cast<std::size_t>(std::numeric_limits<int>::max()),
               "a sum of {} values at once is more than MPI counts", count);
    return static_cast<int>(count);
}

}  // namespace

GradientReducer::GradientReducer(const Communicator& ranks)
    : blocking_(ranks.split(0)), begun_(ranks.split(0))
{}

void GradientReducer::sum(double* values, std::size_t count) const
{
    if (blocking_.is_null()) return;
    FS_MPI(MPI_Allreduce(MPI_IN_PLACE, values, as_int(count), MPI_DOUBLE, MPI_SUM, blocking_.handle()));
}

void GradientReducer::begin(float* values, std::size_t count)
{
    if (begun_.is_null()) return;
    MPI_Request& request = requests_.emplace_back(MPI_REQUEST_NULL);
    FS_MPI(
        MPI_Iallreduce(MPI_IN_PLACE, values, as_int(count), MPI_FLOAT, MPI_SUM, begun_.handle(), &request));
}

void GradientReducer::advance()
{
    if (requests_.empty()) return;
    int done = 0;
    FS_MPI(MPI_Testall(as_int(requests_.size()), requests_.data(), &done, MPI_STATUSES_IGNORE));
    if (done != 0) requests_.clear();
}

void GradientReducer::finish()
{
    if (requests_.empty()) return;
    FS_MPI(MPI_Waitall(as_int(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE));
    requests_.clear();
}

bool mpi_takes_any_thread()
{
    int initialized = 0;
    FS_MPI(MPI_Initialized(&initialized));
    if (initialized == 0) return true;
    int level = MPI_THREAD_SINGLE;
    FS_MPI(MPI_Query_thread(&level));
    return level >= MPI_THREAD_SERIALIZED;
}

bool mpi_takes_device_memory()
{
#if defined(MPIX_CUDA_AWARE_SUPPORT) && MPIX_CUDA_AWARE_SUPPORT
    return MPIX_Query_cuda_support() == 1;
#else
    return false;
#endif
}

}  // namespace flipstorm
