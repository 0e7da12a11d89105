#pragma once
// One job at a time in an out folder. The file `lock` in it says who works there; a second start is refused
// with the holder's name. A killed holder leaves the file behind; the next start finds out that it is dead
// (judge_lock) and takes over.

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

#include "mpi/lock_file.hpp"

namespace flipstorm
{

/**
 * Holds the lock of an out folder while it lives. Rank 0 makes one.
 *
 * A thread renews the time of the file, so that starts on other hosts see that this one lives; they compare
 * it with the time of a file that they write themselves, so the clocks of the hosts do not matter. Where
 * neither the lock nor anything else can be written (read-only), the folder is not locked: held() is false.
 */
class OutLock
{
  public:
    /**
     * Make the folder if need be, and lock it.
     *
     * A dead holder's lock is taken over, with a log line; exactly one of several starts that find it does. A
     * silent one is watched first.
     *
     * \throws FileError if another process holds the folder, naming it and what to do; or if the lock cannot
     * be written, naming the file and the system's reason (disk full).
     */
    explicit OutLock(std::filesystem::path folder, LockHolder self, LockTimes times = {});
    OutLock(const OutLock&) = delete;
    OutLock& operator=(const OutLock&) = delete;

    /// Removes the lock if it is still ours, and the folder if this made it and nothing is in it.
    ~OutLock();

    [[nodiscard]] bool held() const { return held_; }
    [[nodiscard]] const std::string& token() const { return self_.token; }

    /**
     * Call it before anything is replaced that another start might write, too.
     *
     * \throws FileError if another start has taken over: this one was not heard of for long (its host was
     * suspended or cut off), or someone removed the lock. If it was removed and nobody has it, it is made
     * again.
     */
    void require_held();

  private:
    void beat();

    std::filesystem::path folder_;
    LockHolder self_;
    LockTimes times_;
    bool made_folder_ = false;
    bool held_ = false;
    bool said_ = false;  ///< that the lock was lost
    std::mutex mutex_;
    std::condition_variable ended_;
    bool end_ = false;
    std::thread thread_;
};

}  // namespace flipstorm
