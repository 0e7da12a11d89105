#include "mpi/lock_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <thread>

#include "engine/base/error.hpp"
#include "engine/base/log.hpp"
#include "engine/base/regular_file.hpp"
#include "engine/base/temporary_file.hpp"
#include "engine/base/timing.hpp"

namespace flipstorm
{
namespace fs = std::filesystem;
namespace
{

constexpr std::size_t kLongestLock = std::size_t{1} << 20U;  ///< bytes; a command line may be long
constexpr const char* kPrefix = ".lock-";                    ///< of the files that become locks

void sleep_for(double seconds)
{
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

/// Another process holds the lock.
class HeldError : public FileError
{
  public:
    using FileError::FileError;
};

/// The way to a lock: a file of this process that is linked to the name of the lock, which only one process
/// can.
class Applicant
{
  public:
    /// \throws FileError
    Applicant(const fs::path& folder, const LockHolder& self, const LockTimes& times)
        : folder_(folder), self_(self), times_(times), own_(folder / (kPrefix + self.token + ".tmp"))
    {
        make_own();
    }
    Applicant(const Applicant&) = delete;
    Applicant& operator=(const Applicant&) = delete;
    ~Applicant() { ::unlink(own_.c_str()); }

    /// Get the lock of this name. \throws HeldError if it is held, FileError if it cannot be written.
    void get(const fs::path& name)
    {
        const Stopwatch waited;
        while (!link_to(name))
        {
            const std::optional<LockFile> found = read_lock(name);
            if (!found) continue;  // released meanwhile
            if (is_of(found, self_.token)) return;
            try
            {
                if (take_over(name, *found, why_dead(name, *found))) return;
            }
            catch (const HeldError&)
            {
                if (!is_here(*found) || waited.seconds() >= times_.patience) throw;
                sleep_for(0.05);
            }
        }
    }

  private:
    void make_own() const
    {
        FS_CHECK(FileError, write_holder(own_), "cannot lock the out folder: someone made '{}'",
                 own_.string());
    }

    /// \return false if the file is there
    [[nodiscard]] bool write_holder(const fs::path& name) const
    {
        const int file = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (file < 0 && errno == EEXIST) return false;
        FS_CHECK(FileError, file >= 0, "cannot lock the out folder: cannot open '{}': {}", name.string(),
                 std::strerror(errno));
        const std::string text = to_text(self_);
        const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                             ::fsync(file) == 0;
        const int reason = errno;
        ::close(file);
        if (!written) ::unlink(name.c_str());
        FS_CHECK(FileError, written, "cannot lock the out folder: cannot write '{}': {}", name.string(),
                 std::strerror(reason));
        return true;
    }

    /// \return false if there is a lock already
    bool link_to(const fs::path& name) const
    {
        if (::link(own_.c_str(), name.c_str()) == 0) return true;
        if (errno == EEXIST) return false;
        // A file system without links: others may see the file before its text is complete.
        if (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS) return write_holder(name);
        const int reason = errno;
        throw FileError("cannot lock the out folder: cannot make '{}': {}", name.string(),
                        std::strerror(reason));
    }

    /// Now, by the clock of the file system.
    [[nodiscard]] double file_system_now() const
    {
        FS_CHECK(FileError, ::utimensat(AT_FDCWD, own_.c_str(), nullptr, AT_SYMLINK_NOFOLLOW) == 0,
                 "cannot set the time of '{}': {}", own_.string(), std::strerror(errno));
        const std::optional<LockFile> own = read_lock(own_);
        FS_CHECK(FileError, own.has_value(), "someone removed '{}'", own_.string());
        return own->modified;
    }

    /// Why the holder of a lock is dead. \throws HeldError if it is not.
    [[nodiscard]] std::string why_dead(const fs::path& name, const LockFile& found) const
    {
        const double silence = file_system_now() - found.modified;
        const LockVerdict verdict = judge_lock(found.holder, self_, silence, process_is_alive);
        if (verdict.state == LockState::held)
        {
            throw HeldError("{}. {}", in_use_by(found), advice(name, found, silence));
        }
        if (verdict.state == LockState::silent)
        {
            log_warning("{}; {}: watching it for {:.0f} s", in_use_by(found), verdict.reason, times_.watch);
            watch(name, found);
        }
        return verdict.reason;
    }

    [[nodiscard]] std::string in_use_by(const LockFile& found) const
    {
        return fmt::format("the out folder '{}' is in use by {}", folder_.string(), name_of(found));
    }

    [[nodiscard]] std::string advice(const fs::path& name, const LockFile& found, double silence) const
    {
        std::string text = "Wait for its end, stop it, or take another job.out (--out DIR)";
        if (is_here(found)) return text;  // it was asked for; time will not change the answer
        return text + fmt::format(
                          ". Its last sign of life is {:.0f} s old: if it is dead, remove '{}', or try "
                          "again in {:.0f} s, when it is taken over unless it gives another",
                          std::max(0.0, silence), name.string(),
                          std::clamp(kLongSilence - silence, 1.0, kLongSilence));
    }

    /// Can the holder be asked for, as a process of this boot and process namespace?
    [[nodiscard]] bool is_here(const LockFile& found) const
    {
        return found.holder && !self_.boot.empty() && found.holder->boot == self_.boot &&
               found.holder->pid_namespace == self_.pid_namespace;
    }

    /// Wait for a sign of life. \throws HeldError if there is one.
    void watch(const fs::path& name, const LockFile& found) const
    {
        const Stopwatch watched;
        while (watched.seconds() < times_.watch)
        {
            sleep_for(std::min(1.0, times_.watch / 10));
            const std::optional<LockFile> now = read_lock(name);
            if (!now) return;  // released: the next try tells
            FS_CHECK(HeldError, now->modified == found.modified, "{}. {}", in_use_by(*now),
                     advice(name, *now, 0));
        }
    }

    /**
     * Put our lock in the place of a dead one.
     *
     * Who wants to replace the lock of token T first gets a lock on just that, under a name made of T, and
     * looks again; so nobody replaces a lock but the one that he has judged. \return false if it is not there
     * any more: look again
     */
    bool take_over(const fs::path& name, const LockFile& dead, const std::string& reason)
    {
        const std::string token = dead.holder ? dead.holder->token : "unknown";
        const fs::path claim = folder_ / (kPrefix + token + ".claim");
        if (!get_soon(claim)) return false;
        bool done = false;
        int failed = 0;
        const std::optional<LockFile> now = read_lock(name);
        if (now && now->modified == dead.modified && now->holder.has_value() == dead.holder.has_value() &&
            (!dead.holder || is_of(now, token)))
        {
            done = ::rename(own_.c_str(), name.c_str()) == 0;
            failed = done ? 0 : errno;
        }
        ::unlink(claim.c_str());
        FS_CHECK(FileError, failed == 0, "cannot lock the out folder: cannot replace '{}': {}", name.string(),
                 std::strerror(failed));
        if (done && name.filename() == kLockFile)
            log_warning("took over the out folder '{}' from {}: {}", folder_.string(), name_of(dead), reason);
        return done;
    }

    /// Get a claim; false if another start has one and will be done soon. \throws HeldError if it is not.
    bool get_soon(const fs::path& claim)
    {
        try
        {
            get(claim);
        }
        catch (const HeldError&)
        {
            if (++waits_ > 100) throw;
            sleep_for(0.05);
            return false;
        }
        // A claim that was taken over has used up our own file.
        if (!fs::exists(own_)) make_own();
        return true;
    }

    static std::string name_of(const LockFile& found)
    {
        return found.holder ? describe(*found.holder) : "a holder that its lock does not name";
    }

    const fs::path& folder_;
    const LockHolder& self_;
    const LockTimes& times_;
    fs::path own_;
    int waits_ = 0;
};

/// Remove what starts that were killed while they locked the folder left there, as far as that is allowed.
void remove_old_leftovers(const fs::path& folder)
{
    std::error_code error;
    const fs::file_time_type now = fs::last_write_time(folder / kLockFile, error);
    if (!error) remove_dead_temporaries(folder, now);
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    {
        if (entry->path().filename().string().rfind(kPrefix, 0) != 0) continue;
        std::error_code gone;
        const fs::file_time_type modified = entry->last_write_time(gone);
        if (!gone && now - modified > std::chrono::duration<double>(kLongSilence))
            fs::remove(entry->path(), gone);
    }
}

}  // namespace

std::optional<LockFile> read_lock(const fs::path& name)
{
    require_regular_file(name);
    // Opened anew every time: network file systems only then ask the server.
    const int file = ::open(name.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file < 0 && (errno == ENOENT || errno == ESTALE)) return std::nullopt;
    FS_CHECK(FileError, file >= 0, "cannot read the lock '{}': {}", name.string(), std::strerror(errno));
    std::string text;
    std::array<char, 4096> part{};
    ssize_t got = 0;
    while (text.size() <= kLongestLock && (got = ::read(file, part.data(), part.size())) > 0)
        text.append(part.data(), static_cast<std::size_t>(got));
    struct stat status = {};
    const bool known = got >= 0 && ::fstat(file, &status) == 0;
    const int reason = errno;
    ::close(file);
    if (!known && reason == ESTALE) return std::nullopt;  // replaced while it was read
    FS_CHECK(FileError, known, "cannot read the lock '{}': {}", name.string(), std::strerror(reason));
    FS_CHECK(FileError, text.size() <= kLongestLock,
             "'{}' is not a lock of flipstorm (too long): move it away, or take another job.out (--out DIR)",
             name.string());
    constexpr std::string_view kMagic = "flipstorm lock";
    FS_CHECK(FileError, text.substr(0, kMagic.size()) == kMagic.substr(0, text.size()),
             "'{}' is not a lock of flipstorm: move it away, or take another job.out (--out DIR)",
             name.string());
    return LockFile{parse_holder(text), static_cast<double>(status.st_mtim.tv_sec) +
                                            1e-9 * static_cast<double>(status.st_mtim.tv_nsec)};
}

bool is_of(const std::optional<LockFile>& lock, const std::string& token)
{
    return lock && lock->holder && lock->holder->token == token;
}

void acquire_lock(const fs::path& folder, const LockHolder& self, const LockTimes& times)
{
    Applicant(folder, self, times).get(folder / kLockFile);
    ::utimensat(AT_FDCWD, (folder / kLockFile).c_str(), nullptr,
                AT_SYMLINK_NOFOLLOW);  // the first sign of life
    remove_old_leftovers(folder);
}

bool renew_lock(const fs::path& folder, const std::string& token)
{
    const fs::path name = folder / kLockFile;
    return is_of(read_lock(name), token) &&
           ::utimensat(AT_FDCWD, name.c_str(), nullptr, AT_SYMLINK_NOFOLLOW) == 0;
}

void release_lock(const fs::path& folder, const std::string& token) noexcept
{
    try
    {
        const fs::path name = folder / kLockFile;
        if (is_of(read_lock(name), token)) ::unlink(name.c_str());
    }
    catch (const std::exception& error)
    {
        log_warning("the lock of '{}' stays: {}", folder.string(), error.what());
    }
}

}  // namespace flipstorm
