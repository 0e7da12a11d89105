#include "mpi/shared_counters.hpp"

#include <algorithm>
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
constexpr std::uint64_t kAll = ~std::uint64_t{0};  ///< in place of a counter

void pause(std::chrono::microseconds time)
{
    std::this_thread::sleep_for(time);
}

}  // namespace

SharedCounters::SharedCounters(const Communicator& communicator, std::size_t count, CounterAccess access)
    : communicator_(communicator), count_(count), unwinding_at_start_(std::uncaught_exceptions())
{
    FS_REQUIRE(count > 0, "no counter");
    if (!communicator_.is_null() && access != CounterAccess::messages) open_window(access);
    if (is_one_sided()) return;
    if (communicator_.is_root()) values_.resize(count_);
    if (!communicator_.is_null()) messages_ = communicator_.split(0);
}

void SharedCounters::open_window(CounterAccess access)
{
    MPI_Info info = MPI_INFO_NULL;
    FS_MPI(MPI_Info_create(&info));
    FS_MPI(MPI_Info_set(info, "accumulate_ops", "same_op"));
    void* memory = nullptr;
    const auto bytes = static_cast<MPI_Aint>(communicator_.is_root() ? count_ * sizeof(std::uint64_t) : 0);
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
        std::fill_n(static_cast<std::uint64_t*>(memory), count_, std::uint64_t{0});
        FS_MPI(MPI_Win_sync(window_));
    }
    communicator_.barrier();
}

SharedCounters::~SharedCounters()
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

std::uint64_t SharedCounters::fetch_and_add(std::size_t counter, std::uint64_t increment)
{
    FS_REQUIRE(counter < count_, "counter {} of {}", counter, count_);
    std::uint64_t before = 0;
    if (is_one_sided())
    {
        FS_MPI(MPI_Fetch_and_op(&increment, &before, MPI_UINT64_T, 0, static_cast<MPI_Aint>(counter), MPI_SUM,
                                window_));
        FS_MPI(MPI_Win_flush(0, window_));
        return before;
    }
    MPI_Request request = MPI_REQUEST_NULL;
    const Question question{counter, increment};
    ask(question, &before, request);
    wait(request);
    return before;
}

std::vector<std::uint64_t> SharedCounters::read()
{
    std::vector<std::uint64_t> values(count_);
    if (is_one_sided())
    {
        // Nothing added to each: MPI promises atomicity among equal operations only.
        const std::uint64_t nothing = 0;
        for (std::size_t counter = 0; counter < count_; ++counter)
        {
            FS_MPI(MPI_Fetch_and_op(&nothing, &values[counter], MPI_UINT64_T, 0,
                                    static_cast<MPI_Aint>(counter), MPI_SUM, window_));
        }
        FS_MPI(MPI_Win_flush(0, window_));
        return values;
    }
    MPI_Request request = MPI_REQUEST_NULL;
    const Question question{kAll, 0};
    ask(question, values.data(), request);
    wait(request);
    return values;
}

void SharedCounters::start(std::size_t counter, std::uint64_t increment)
{
    FS_REQUIRE(!started_, "the counters were asked already");
    FS_REQUIRE(counter < count_, "counter {} of {}", counter, count_);
    started_ = true;
    question_ = {counter, increment};
    if (is_one_sided())
        FS_MPI(MPI_Rget_accumulate(&question_[1], 1, MPI_UINT64_T, &before_, 1, MPI_UINT64_T, 0,
                                   static_cast<MPI_Aint>(counter), 1, MPI_UINT64_T, MPI_SUM, window_,
                                   &request_));
    else
        ask(question_, &before_, request_);
}

std::uint64_t SharedCounters::finish()
{
    FS_REQUIRE(started_, "the counters were not asked");
    wait(request_);
    started_ = false;
    return before_;
}

/// Without a window: what a question asks for will be in `answer` when `request` is done.
void SharedCounters::ask(const Question& question, std::uint64_t* answer, MPI_Request& request)
{
    const std::size_t values = question[0] == kAll ? count_ : 1;
    if (communicator_.is_root())
    {
        if (!communicator_.is_null()) this->answer();
        if (question[0] == kAll)
            std::copy(values_.begin(), values_.end(), answer);
        else
            *answer = std::exchange(values_[question[0]], values_[question[0]] + question[1]);
        return;
    }
    FS_MPI(
        MPI_Irecv(answer, static_cast<int>(values), MPI_UINT64_T, 0, kAnswer, messages_.handle(), &request));
    FS_MPI(MPI_Send(question.data(), 2, MPI_UINT64_T, 0, kQuestion, messages_.handle()));
}

void SharedCounters::wait(MPI_Request& request)
{
    if (request == MPI_REQUEST_NULL) return;
    for (int done = 0; done == 0;)
    {
        FS_MPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
        if (done == 0) pause(std::chrono::microseconds(50));
    }
}

void SharedCounters::progress()
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

void SharedCounters::answer()
{
    while (true)
    {
        int there = 0;
        MPI_Status status;
        FS_MPI(MPI_Iprobe(MPI_ANY_SOURCE, kQuestion, messages_.handle(), &there, &status));
        if (there == 0) return;
        Question question{};
        FS_MPI(MPI_Recv(question.data(), 2, MPI_UINT64_T, status.MPI_SOURCE, kQuestion, messages_.handle(),
                        MPI_STATUS_IGNORE));
        const bool all = question[0] == kAll;
        FS_MPI(MPI_Send(values_.data() + (all ? 0 : question[0]), static_cast<int>(all ? count_ : 1),
                        MPI_UINT64_T, status.MPI_SOURCE, kAnswer, messages_.handle()));
        if (!all) values_[question[0]] += question[1];
    }
}

}  // namespace flipstorm
