#include "mpi/shared_counter.hpp"

#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "engine/base/error.hpp"
#include "mpi/mpi_check.hpp"
#include "mpi/session.hpp"

namespace flipstorm
{
namespace
{

constexpr double kSecondsBetweenLooks = 1e-3;
constexpr int kQuestion = 1;
constexpr int kAnswer = 2;

void pause(std::chrono::microseconds time)
{
    std::this_thread::sleep_for(time);
}

}  // namespace

SharedCounter::SharedCounter(const Communicator& communicator, CounterAccess access)
    : communicator_(communicator), unwinding_at_start_(std::uncaught_exceptions())
{
    if (communicator_.is_null()) return;
    if (access != CounterAccess::messages) open_window(access);
    if (!is_one_sided()) messages_ = communicator_.split(0);
}

void SharedCounter::open_window(CounterAccess access)
{
    MPI_Info info = MPI_INFO_NULL;
    FS_MPI(MPI_Info_create(&info));
    FS_MPI(MPI_Info_set(info, "accumulate_ops", "same_op"));
    void* memory = nullptr;
    const MPI_Aint bytes = communicator_.is_root() ? sizeof(std::uint64_t) : 0;
    const int status =
        MPI_Win_allocate(bytes, sizeof(std::uint64_t), info, communicator_.handle(), &memory, &window_);
    FS_MPI(MPI_Info_free(&info));
    const bool here = status == MPI_SUCCESS;
    if (communicator_.all_reduce(std::uint64_t{here}, Reduce::min) == 0)
    {
        // Freeing one that exists on some ranks only is no use: it takes all of them.
        window_ = MPI_WIN_NULL;
        FS_CHECK(MpiError, access == CounterAccess::automatic,
                 "{} offers no one-sided communication between these ranks", library_version());
        return;
    }
    FS_MPI(MPI_Win_set_errhandler(window_, MPI_ERRORS_RETURN));
    FS_MPI(MPI_Win_lock_all(MPI_MODE_NOCHECK, window_));
    if (communicator_.is_root())
    {
        *static_cast<std::uint64_t*>(memory) = 0;
        FS_MPI(MPI_Win_sync(window_));
    }
    communicator_.barrier();
}

SharedCounter::~SharedCounter()
{
    if (communicator_.is_null() || std::uncaught_exceptions() > unwinding_at_start_) return;
    try
    {
        if (started_) finish();
        MPI_Request all_done = MPI_REQUEST_NULL;
        FS_MPI(MPI_Ibarrier(communicator_.handle(), &all_done));
        for (int done = 0; done == 0;)
        {
            if (!is_one_sided() && communicator_.is_root()) answer();
            FS_MPI(MPI_Test(&all_done, &done, MPI_STATUS_IGNORE));
            if (done == 0) pause(std::chrono::milliseconds(1));
        }
        if (!is_one_sided()) return;
        FS_MPI(MPI_Win_unlock_all(window_));
        FS_MPI(MPI_Win_free(&window_));
    }
    catch (const MpiError&)
    {
        // The next collective reports it; a destructor must not.
    }
}

std::uint64_t SharedCounter::fetch_and_add(std::uint64_t increment)
{
    std::uint64_t before = 0;
    if (is_one_sided())
    {
        FS_MPI(MPI_Fetch_and_op(&increment, &before, MPI_UINT64_T, 0, 0, MPI_SUM, window_));
        FS_MPI(MPI_Win_flush(0, window_));
        return before;
    }
    MPI_Request request = MPI_REQUEST_NULL;
    ask(increment, before, request);
    wait(request);
    return before;
}

void SharedCounter::start(std::uint64_t increment)
{
    FS_REQUIRE(!started_, "the counter was asked already");
    started_ = true;
    increment_ = increment;
    if (is_one_sided())
        FS_MPI(MPI_Rget_accumulate(&increment_, 1, MPI_UINT64_T, &before_, 1, MPI_UINT64_T, 0, 0, 1,
                                   MPI_UINT64_T, MPI_SUM, window_, &request_));
    else
        ask(increment_, before_, request_);
}

std::uint64_t SharedCounter::finish()
{
    FS_REQUIRE(started_, "the counter was not asked");
    wait(request_);
    started_ = false;
    return before_;
}

/// Without a window: the counter's value before the addition will be in `before` when `request` is done.
void SharedCounter::ask(const std::uint64_t& increment, std::uint64_t& before, MPI_Request& request)
{
    if (communicator_.is_root())
    {
        if (!communicator_.is_null()) answer();
        before = std::exchange(value_, value_ + increment);
        return;
    }
    FS_MPI(MPI_Irecv(&before, 1, MPI_UINT64_T, 0, kAnswer, messages_.handle(), &request));
    FS_MPI(MPI_Send(&increment, 1, MPI_UINT64_T, 0, kQuestion, messages_.handle()));
}

void SharedCounter::wait(MPI_Request& request)
{
    if (request == MPI_REQUEST_NULL) return;
    for (int done = 0; done == 0;)
    {
        FS_MPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
        if (done == 0) pause(std::chrono::microseconds(50));
    }
}

void SharedCounter::progress()
{
    if (communicator_.size() == 1) return;
    const double now = watch_.seconds();
    if (now < looked_ + kSecondsBetweenLooks) return;
    looked_ = now;
    // Whatever it is asked for, MPI sees to all that others want of this rank, too.
    int there = 0;
    if (request_ != MPI_REQUEST_NULL) FS_MPI(MPI_Test(&request_, &there, MPI_STATUS_IGNORE));
    if (!communicator_.is_root()) return;
    if (is_one_sided())
        FS_MPI(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, communicator_.handle(), &there, MPI_STATUS_IGNORE));
    else
        answer();
}

void SharedCounter::answer()
{
    while (true)
    {
        int there = 0;
        MPI_Status status;
        FS_MPI(MPI_Iprobe(MPI_ANY_SOURCE, kQuestion, messages_.handle(), &there, &status));
        if (there == 0) return;
        std::uint64_t increment = 0;
        FS_MPI(MPI_Recv(&increment, 1, MPI_UINT64_T, status.MPI_SOURCE, kQuestion, messages_.handle(),
                        MPI_STATUS_IGNORE));
        FS_MPI(MPI_Send(&value_, 1, MPI_UINT64_T, status.MPI_SOURCE, kAnswer, messages_.handle()));
        value_ += increment;
    }
}

}  // namespace flipstorm
