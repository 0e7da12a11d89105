#include "mpi/stop_relay.hpp"

#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "engine/base/timing.hpp"
#include "mpi/mpi_check.hpp"

namespace flipstorm
{
namespace
{

constexpr int kTag = 7201;  // no other message of flipstorm has it
constexpr double kPause = 0.1;

}  // namespace

struct StopRelay::Requests
{
    std::string text;
    MPI_Request sending = MPI_REQUEST_NULL;
};

StopRelay::StopRelay(const Communicator& communicator, StopConditions* stop)
    : communicator_(communicator), stop_(stop), requests_(std::make_unique<Requests>())
{}

StopRelay::~StopRelay() = default;

void StopRelay::receive_waiting()
{
    while (true)
    {
        int there = 0;
        MPI_Status status;
        FS_MPI(MPI_Iprobe(MPI_ANY_SOURCE, kTag, communicator_.handle(), &there, &status));
        if (there == 0) return;
        int length = 0;
        FS_MPI(MPI_Get_count(&status, MPI_BYTE, &length));
        std::string text(static_cast<std::size_t>(length), '\0');
        FS_MPI(MPI_Recv(text.data(), length, MPI_BYTE, status.MPI_SOURCE, kTag, communicator_.handle(),
                        MPI_STATUS_IGNORE));
        ++received_;
        if (stop_ != nullptr)
            stop_->tell({StopKind::signal, fmt::format("{} on rank {}", text, status.MPI_SOURCE)});
    }
}

void StopRelay::listen()
{
    if (communicator_.size() == 1) return;
    const double now = steady_seconds();
    if (now < next_) return;
    next_ = now + kPause;
    receive_waiting();
}

void StopRelay::wait()
{
    using std::chrono::microseconds;
    if (communicator_.size() == 1) return;
    const bool root = communicator_.is_root();
    std::uint64_t told = 0;
    MPI_Request all_here = MPI_REQUEST_NULL;
    FS_MPI(MPI_Ibarrier(communicator_.handle(), &all_here));
    for (microseconds pause{50};; pause = std::min(2 * pause, microseconds(5000)))
    {
        int done = 0;
        FS_MPI(MPI_Test(&all_here, &done, MPI_STATUS_IGNORE));
        if (done != 0) break;
        if (!root && told == 0 && stop_ != nullptr && stop_->asked())
        {
            requests_->text = stop_->check()->text;
            FS_MPI(MPI_Isend(requests_->text.data(), static_cast<int>(requests_->text.size()), MPI_BYTE, 0,
                             kTag, communicator_.handle(), &requests_->sending));
            told = 1;
        }
        std::this_thread::sleep_for(pause);
    }
    // What came too late is taken all the same, lest it meet the next one's.
    const std::uint64_t sent = communicator_.all_reduce(told, Reduce::sum);
    while (root && received_ < sent)
        receive_waiting();
    FS_MPI(MPI_Wait(&requests_->sending, MPI_STATUS_IGNORE));
    // Nobody tells of the next one while rank 0 still takes what belongs to this one.
    communicator_.barrier();
}

}  // namespace flipstorm
