#include "mpi/chunk_queue.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "engine/base/error.hpp"
#include "mpi/mpi_check.hpp"

namespace flipstorm
{
namespace
{

/// stop() adds this to the counter. A sum, because MPI promises atomicity among equal operations only; and
/// small enough that 2^24 ranks that stop at once do not wrap the counter around.
constexpr std::uint64_t kStop = std::uint64_t{1} << 40U;

/// FNV-1a over the ids, to tell two orders apart.
std::uint64_t fingerprint(const std::vector<ChunkId>& order)
{
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const ChunkId chunk : order)
        hash = (hash ^ chunk.value()) * 0x100000001b3U;
    return hash ^ order.size();
}

}  // namespace

ChunkQueue::ChunkQueue(const Communicator& communicator, std::vector<ChunkId> order)
    : communicator_(communicator), order_(std::move(order)), unwinding_at_start_(std::uncaught_exceptions())
{
    FS_REQUIRE(order_.size() < kStop / 2, "a queue of {} chunks is too long", order_.size());
    if (communicator_.is_null()) return;

    const std::uint64_t mine = fingerprint(order_);
    FS_REQUIRE(communicator_.all_reduce(mine, Reduce::min) == communicator_.all_reduce(mine, Reduce::max),
               "the ranks disagree about the chunks to do (rank {} has {})", communicator_.rank(),
               order_.size());

    MPI_Info info = MPI_INFO_NULL;
    FS_MPI(MPI_Info_create(&info));
    FS_MPI(MPI_Info_set(info, "accumulate_ops", "same_op"));
    void* memory = nullptr;
    const MPI_Aint bytes = communicator_.is_root() ? sizeof(std::uint64_t) : 0;
    FS_MPI(MPI_Win_allocate(bytes, sizeof(std::uint64_t), info, communicator_.handle(), &memory, &window_));
    FS_MPI(MPI_Info_free(&info));
    FS_MPI(MPI_Win_set_errhandler(window_, MPI_ERRORS_RETURN));
    FS_MPI(MPI_Win_lock_all(MPI_MODE_NOCHECK, window_));
    if (communicator_.is_root())
    {
        *static_cast<std::uint64_t*>(memory) = 0;
        FS_MPI(MPI_Win_sync(window_));
    }
    communicator_.barrier();
}

ChunkQueue::~ChunkQueue()
{
    if (window_ == MPI_WIN_NULL || std::uncaught_exceptions() > unwinding_at_start_) return;
    try
    {
        communicator_.patient_barrier();
        FS_MPI(MPI_Win_unlock_all(window_));
        FS_MPI(MPI_Win_free(&window_));
    }
    catch (const MpiError&)
    {
        // The next collective reports it; a destructor must not.
    }
}

std::uint64_t ChunkQueue::fetch_and_add(std::uint64_t increment)
{
    if (window_ == MPI_WIN_NULL) return std::exchange(local_counter_, local_counter_ + increment);
    std::uint64_t before = 0;
    FS_MPI(MPI_Fetch_and_op(&increment, &before, MPI_UINT64_T, 0, 0, MPI_SUM, window_));
    FS_MPI(MPI_Win_flush(0, window_));
    return before;
}

std::optional<ChunkId> ChunkQueue::next()
{
    if (ended_here_) return std::nullopt;
    const std::uint64_t position = fetch_and_add(1);
    if (position < order_.size()) return order_[position];
    ended_here_ = true;
    return std::nullopt;
}

void ChunkQueue::stop()
{
    if (!ended_here_) fetch_and_add(kStop);
    ended_here_ = true;
}

std::uint64_t ChunkQueue::taken()
{
    return std::min<std::uint64_t>(fetch_and_add(0) % kStop, order_.size());
}

}  // namespace flipstorm
