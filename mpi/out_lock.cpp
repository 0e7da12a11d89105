#include "mpi/out_lock.hpp"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <utility>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/log.hpp"
#include "mpi/lock_file.hpp"

namespace flipstorm
{
namespace fs = std::filesystem;

OutLock::OutLock(fs::path folder, LockHolder self, LockTimes times)
    : folder_(std::move(folder)), self_(std::move(self)), times_(times)
{
    made_folder_ = !fs::exists(folder_);
    make_folder(folder_);
    if (::access(folder_.c_str(), W_OK) != 0 && (errno == EROFS || errno == EACCES)) return;
    try
    {
        acquire_lock(folder_, self_, times_);
    }
    catch (...)
    {
        if (made_folder_) ::rmdir(folder_.c_str());
        throw;
    }
    held_ = true;

    // Signals are for the thread that computes.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { beat(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

OutLock::~OutLock()
{
    if (thread_.joinable())
    {
        {
            const std::lock_guard<std::mutex> guard(mutex_);
            end_ = true;
        }
        ended_.notify_one();
        thread_.join();
    }
    if (held_) release_lock(folder_, self_.token);
    if (made_folder_) ::rmdir(folder_.c_str());  // fails, rightly, if something is in it
}

void OutLock::beat()
{
    std::unique_lock<std::mutex> guard(mutex_);
    while (!ended_.wait_for(guard, std::chrono::duration<double>(times_.beat), [this] { return end_; }))
    {
        try
        {
            if (renew_lock(folder_, self_.token) || said_) continue;
            log_warning("the lock of '{}' is not ours any more", folder_.string());
            said_ = true;
        }
        catch (const FileError&)
        {
            // A file system that is gone for a while: the next time will tell.
        }
    }
}

void OutLock::require_held()
{
    if (!held_) return;
    const fs::path name = folder_ / kLockFile;
    std::optional<LockFile> found = read_lock(name);
    if (!found)
    {
        log_warning("someone removed '{}' while it was in use: made again", name.string());
        acquire_lock(folder_, self_, times_);
        found = read_lock(name);
    }
    FS_CHECK(
        FileError, is_of(found, self_.token),
        "the out folder '{}' was taken over by {}, because this job was not heard of for long or its lock "
        "was removed; nothing more is written there, and what was found is in the journal",
        folder_.string(), found && found->holder ? describe(*found->holder) : "another start");
}

}  // namespace flipstorm
