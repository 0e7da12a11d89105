#pragma once
// The lock file of an out folder: how a process gets it, also from a dead holder, when several try at once.

#include <filesystem>
#include <optional>
#include <string>

#include "mpi/lock_holder.hpp"

namespace flipstorm
{

/// Name of the lock in the out folder.
inline constexpr const char* kLockFile = "lock";

/// Times of a lock, in seconds of a clock that never jumps.
struct LockTimes
{
    double beat = 30;     ///< between signs of life
    double watch = 65;    ///< how long a silent holder is watched before it is taken for dead
    double patience = 5;  ///< for a living holder on this host, which may be about to end: ranks whose
                          ///< launcher was killed take a moment
};

/// A lock file as it is found.
struct LockFile
{
    std::optional<LockHolder> holder;  ///< none: its text is not complete, or of another version
    double modified = 0;               ///< last sign of life, seconds by the clock of the file system
};

/// Read a lock file; none if there is no such file. \throws FileError if it cannot be read, or is not a lock.
[[nodiscard]] std::optional<LockFile> read_lock(const std::filesystem::path& name);

/// Does the lock bear this token?
[[nodiscard]] bool is_of(const std::optional<LockFile>& lock, const std::string& token);

/**
 * Make the folder's lock file, for `self`.
 *
 * The lock is linked to its name, which only one process can. A dead holder's (judge_lock) is replaced, with
 * a log line; of several processes that find it dead exactly one succeeds. Time is compared with
 * that of a file that this process writes beside the lock.
 *
 * \throws FileError if another process holds the lock, naming it and what to do; or if the lock cannot be
 * written, naming the file and the system's reason.
 */
void acquire_lock(const std::filesystem::path& folder, const LockHolder& self, const LockTimes& times);

/// Give a sign of life: set the time of the lock to now. \return false if it does not bear this token any
/// more.
bool renew_lock(const std::filesystem::path& folder, const std::string& token);

/// Remove the lock of a folder if it bears this token: also for a rank that ends all ranks before rank 0,
/// whose lock it is, can clean up. Never throws; nothing to remove is no error.
void release_lock(const std::filesystem::path& folder, const std::string& token) noexcept;

}  // namespace flipstorm
