// One process at a time in an out folder, whatever became of the one before.

#include "mpi/out_lock.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <ctime>
#include <fstream>
#include <memory>
#include <thread>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "mpi/lock_file.hpp"
#include "tests/unit/mpi/temporary_folder.hpp"

namespace flipstorm
{
namespace
{
namespace fs = std::filesystem;

constexpr LockTimes kQuick{0.02, 0.3, 0.1};

class OutLockTest : public testing::Test
{
  protected:
    [[nodiscard]] fs::path lock() const { return out_.path() / kLockFile; }

    /// Somebody's lock.
    void write_lock(const LockHolder& holder) const { std::ofstream(lock()) << to_text(holder); }

    /// The file's last sign of life was so long ago.
    void set_age(double seconds) const
    {
        struct timespec now = {};
        ::clock_gettime(CLOCK_REALTIME, &now);
        now.tv_sec -= static_cast<std::time_t>(seconds);
        const std::array<struct timespec, 2> times{now, now};
        ASSERT_EQ(::utimensat(AT_FDCWD, lock().c_str(), times.data(), 0), 0);
    }

    /// A holder that lives, or may, on another host.
    static LockHolder elsewhere()
    {
        LockHolder holder = this_process("flipstorm run far.toml");
        holder.host = "far";
        holder.boot = "another boot";
        return holder;
    }

    /// A process of this host that is no more.
    static LockHolder dead()
    {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(0);
        ::waitpid(child, nullptr, 0);
        LockHolder holder = this_process("flipstorm run dead.toml");
        holder.pid = child;
        return holder;
    }

    [[nodiscard]] std::string refused() const
    {
        try
        {
            const OutLock second(out_.path(), this_process("second"), kQuick);
        }
        catch (const FileError& error)
        {
            return error.what();
        }
        ADD_FAILURE() << "not refused";
        return {};
    }

    /// Takes the lock, which has to succeed, and returns what was said.
    [[nodiscard]] std::string taken_over() const
    {
        testing::internal::CaptureStderr();
        {
            const LockHolder self = this_process("flipstorm run new.toml");
            const OutLock lock(out_.path(), self, kQuick);
            EXPECT_TRUE(lock.held());
            EXPECT_TRUE(is_of(read_lock(this->lock()), self.token));
        }
        EXPECT_EQ(files(), 0) << "something stays";
        return testing::internal::GetCapturedStderr();
    }

    [[nodiscard]] long files() const { return std::distance(fs::directory_iterator(out_.path()), {}); }

    test::TemporaryFolder out_;
};

TEST_F(OutLockTest, HoldsAndReleases)
{
    const LockHolder self = this_process("flipstorm run job.toml");
    {
        const OutLock first(out_.path(), self, kQuick);
        EXPECT_TRUE(first.held());
        EXPECT_EQ(read_file(lock()), to_text(self));
        EXPECT_EQ(files(), 1);
        const std::string message = refused();
        EXPECT_NE(message.find(describe(self)), std::string::npos) << message;
        EXPECT_NE(message.find(out_.path().string()), std::string::npos) << message;
        EXPECT_NE(message.find("--out"), std::string::npos) << message;
        EXPECT_EQ(message.find("remove"), std::string::npos) << "it lives here: " << message;
        EXPECT_EQ(files(), 1);
    }
    EXPECT_EQ(files(), 0);
}

TEST_F(OutLockTest, MakesTheFolderAndRemovesItIfNothingIsInIt)
{
    const fs::path folder = out_.path() / "a" / "b";
    {
        const OutLock lock(folder, this_process(""), kQuick);
        EXPECT_TRUE(fs::exists(folder / kLockFile));
    }
    EXPECT_FALSE(fs::exists(folder));
    {
        const OutLock lock(folder, this_process(""), kQuick);
        std::ofstream(folder / "result").put('\n');
    }
    EXPECT_TRUE(fs::exists(folder / "result"));
    EXPECT_FALSE(fs::exists(folder / kLockFile));
}

TEST_F(OutLockTest, ADeadProcessIsFollowed)
{
    write_lock(dead());
    const std::string said = taken_over();
    EXPECT_NE(said.find("took over the out folder"), std::string::npos) << said;
    EXPECT_NE(said.find("flipstorm run dead.toml"), std::string::npos) << said;
    EXPECT_NE(said.find("its process is gone"), std::string::npos) << said;
}

TEST_F(OutLockTest, AProcessThatIsAboutToEndIsWaitedFor)
{
    auto first = std::make_unique<OutLock>(out_.path(), this_process("first"), kQuick);
    std::thread end([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        first.reset();
    });
    const OutLock second(out_.path(), this_process("second"), {0.02, 0.3, 60});
    EXPECT_TRUE(second.held());
    end.join();
    EXPECT_TRUE(is_of(read_lock(lock()), second.token()));
}

TEST_F(OutLockTest, AHolderElsewhereIsRespected)
{
    write_lock(elsewhere());
    const std::string message = refused();
    EXPECT_NE(message.find("on far"), std::string::npos) << message;
    EXPECT_NE(message.find("remove '" + lock().string()), std::string::npos) << message;
    EXPECT_NE(message.find("again in 600 s"), std::string::npos) << message;
    set_age(400);
    EXPECT_NE(refused().find("again in 200 s"), std::string::npos);
    EXPECT_EQ(files(), 1);
}

TEST_F(OutLockTest, ASilentHolderElsewhereIsWatchedAndFollowed)
{
    for (const double age : {700.0, -7200.0})  // the second: the clock of the file system was set back
    {
        SCOPED_TRACE(age);
        write_lock(elsewhere());
        set_age(age);
        const auto begin = std::chrono::steady_clock::now();
        const std::string said = taken_over();
        EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::duration<double>(kQuick.watch));
        EXPECT_NE(said.find("watching it"), std::string::npos) << said;
        EXPECT_NE(said.find("took over"), std::string::npos) << said;
    }
}

TEST_F(OutLockTest, ASilentHolderThatGivesASignOfLifeIsRespected)
{
    const LockHolder holder = elsewhere();
    write_lock(holder);
    set_age(3600);  // for example because the clock of the file system jumped
    std::thread holder_elsewhere([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        EXPECT_TRUE(renew_lock(out_.path(), holder.token));
    });
    testing::internal::CaptureStderr();
    EXPECT_NE(refused().find("in use by"), std::string::npos);
    EXPECT_NE(testing::internal::GetCapturedStderr().find("no sign of life for 60 minutes"),
              std::string::npos);
    holder_elsewhere.join();
    EXPECT_TRUE(is_of(read_lock(lock()), holder.token));
}

TEST_F(OutLockTest, GivesSignsOfLife)
{
    OutLock held(out_.path(), this_process(""), kQuick);
    set_age(3600);
    const double before = read_lock(lock())->modified;
    for (int i = 0; i < 200 && read_lock(lock())->modified < before + 3000; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_GT(read_lock(lock())->modified, before + 3000);
}

TEST_F(OutLockTest, ATornLockIsJudgedByItsAge)
{
    std::ofstream(lock()) << "flipstorm lock 1\ntok";
    EXPECT_NE(refused().find("does not name"), std::string::npos);
    set_age(700);
    EXPECT_NE(taken_over().find("took over"), std::string::npos);
}

TEST_F(OutLockTest, AnotherProgramsFileIsLeftAlone)
{
    std::ofstream(lock()) << "mine\n";
    set_age(1e6);
    EXPECT_NE(refused().find("is not a lock of flipstorm"), std::string::npos);
    EXPECT_EQ(read_file(lock()), "mine\n");
    EXPECT_EQ(files(), 1);
}

TEST_F(OutLockTest, WhatIsNoFileIsRefusedAtOnce)
{
    fs::create_symlink("/dev/zero", lock());
    EXPECT_NE(refused().find("it is a device"), std::string::npos);
    fs::remove(lock());
    ASSERT_EQ(::mkfifo(lock().c_str(), 0600), 0);
    EXPECT_NE(refused().find("it is a pipe"), std::string::npos);
    fs::remove(lock());
    std::ofstream(lock()) << "flipstorm lock 1\ntoken: a\ncommand: " << std::string(2000000, 'x') << '\n';
    EXPECT_NE(refused().find("too long"), std::string::npos);
}

TEST_F(OutLockTest, ATokenIsNoPath)
{
    fs::create_directory(out_.path() / ".lock-..");
    for (const char* token : {"../../escaped", "", "a b", "\x1b"})
    {
        std::ofstream(lock()) << "flipstorm lock 1\ntoken: " << token << "\nhost: elsewhere\n";
        EXPECT_FALSE(read_lock(lock())->holder.has_value()) << token;
    }
}

TEST_F(OutLockTest, LeftoversOfDeadStartsAreRemovedWithTheLock)
{
    const fs::path dead = out_.path() / (".campaign.h5." + std::string(32, '0') + ".tmp");
    const fs::path foreign = out_.path() / ".campaign.h5.tmp";
    std::ofstream{dead}.put('\n');
    std::ofstream{foreign}.put('\n');
    fs::last_write_time(dead, fs::last_write_time(dead) - std::chrono::minutes(11));
    const OutLock held(out_.path(), this_process(""), kQuick);
    EXPECT_FALSE(fs::exists(dead));
    EXPECT_TRUE(fs::exists(foreign));
}

TEST_F(OutLockTest, KnowsThatItWasTakenOver)
{
    testing::internal::CaptureStderr();
    const LockHolder other = elsewhere();
    {
        OutLock held(out_.path(), this_process(""), kQuick);
        EXPECT_NO_THROW(held.require_held());
        write_lock(other);
        try
        {
            held.require_held();
            ADD_FAILURE() << "nothing thrown";
        }
        catch (const FileError& error)
        {
            EXPECT_NE(std::string(error.what()).find("was taken over by " + describe(other)),
                      std::string::npos);
        }
    }
    EXPECT_TRUE(is_of(read_lock(lock()), other.token)) << "removed though it is another's";
    testing::internal::GetCapturedStderr();
}

TEST_F(OutLockTest, ALockThatWasRemovedIsMadeAgain)
{
    testing::internal::CaptureStderr();
    OutLock held(out_.path(), this_process(""), kQuick);
    fs::remove(lock());
    EXPECT_NO_THROW(held.require_held());
    EXPECT_TRUE(is_of(read_lock(lock()), held.token()));
    testing::internal::GetCapturedStderr();
}

TEST_F(OutLockTest, AnyRankMayReleaseIt)
{
    const LockHolder holder = elsewhere();
    write_lock(holder);
    release_lock(out_.path(), "another token");
    EXPECT_TRUE(fs::exists(lock()));
    release_lock(out_.path(), holder.token);
    EXPECT_FALSE(fs::exists(lock()));
    release_lock(out_.path(), holder.token);
    release_lock(out_.path() / "none", holder.token);
}

TEST_F(OutLockTest, OldLeftoversOfKilledStartsAreRemoved)
{
    const fs::path old = out_.path() / ".lock-0123456789abcdef.tmp";
    const fs::path young = out_.path() / ".lock-1123456789abcdef.tmp";
    std::ofstream{old}.put('\n');
    std::ofstream{young}.put('\n');
    fs::last_write_time(old, fs::last_write_time(old) - std::chrono::minutes(11));
    const OutLock held(out_.path(), this_process(""), kQuick);
    EXPECT_FALSE(fs::exists(old));
    EXPECT_TRUE(fs::exists(young));
}

TEST_F(OutLockTest, AFolderThatMayNotBeWrittenIsNotLocked)
{
    if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere; see pipeline.disk";
    fs::permissions(out_.path(), fs::perms::owner_read | fs::perms::owner_exec);
    OutLock lock(out_.path(), this_process(""), kQuick);
    EXPECT_FALSE(lock.held());
    EXPECT_NO_THROW(lock.require_held());
    fs::permissions(out_.path(), fs::perms::owner_all);
}

/// Several processes that want the lock at the same moment; each ends without releasing it. \return how many
/// got it
int winners_of(int processes, const fs::path& folder)
{
    std::array<int, 2> start{};
    std::array<int, 2> results{};
    std::array<int, 2> finish{};
    EXPECT_EQ(::pipe(start.data()) + ::pipe(results.data()) + ::pipe(finish.data()), 0);
    std::vector<pid_t> children;
    for (int i = 0; i < processes; ++i)
    {
        const pid_t child = ::fork();
        if (child != 0)
        {
            children.push_back(child);
            continue;
        }
        ::close(start[1]);
        ::close(finish[1]);
        char result = 'e';
        char none = 0;
        static_cast<void>(!::read(start[0], &none, 1));  // until the parent closes it
        try
        {
            new OutLock(folder, this_process("racer"), {0.02, 0.3, 0});
            result = 'w';
        }
        catch (const FileError& error)
        {
            result = std::string(error.what()).find("in use by") != std::string::npos ? 'l' : 'e';
        }
        static_cast<void>(!::write(results[1], &result, 1));
        static_cast<void>(!::read(finish[0], &none, 1));  // hold it until all have tried
        ::_exit(0);
    }
    ::close(start[0]);
    ::close(start[1]);
    int winners = 0;
    for (int i = 0; i < processes; ++i)
    {
        char result = 0;
        EXPECT_EQ(::read(results[0], &result, 1), 1);
        EXPECT_NE(result, 'e') << "another error than that it is held";
        if (result == 'w') ++winners;
    }
    ::close(finish[0]);
    ::close(finish[1]);
    for (const pid_t child : children)
        ::waitpid(child, nullptr, 0);
    for (const int file : {results[0], results[1]})
        ::close(file);
    return winners;
}

TEST_F(OutLockTest, ExactlyOneOfManyGetsIt)
{
    testing::internal::CaptureStderr();
    // First without a lock; then each round finds the lock of a winner that has died.
    for (int round = 0; round < 200; ++round)
        EXPECT_EQ(winners_of(8, out_.path()), 1) << "round " << round;
    testing::internal::GetCapturedStderr();
}

TEST_F(OutLockTest, ProcessesThatAreKilledWhileTheyTakeOverDoNotBlockIt)
{
    testing::internal::CaptureStderr();
    const LockHolder first = dead();
    write_lock(first);
    // One that had the right to replace it, and died; and one that had the right to replace that, and died,
    // too.
    const LockHolder second = dead();
    const LockHolder third = dead();
    std::ofstream(out_.path() / (".lock-" + first.token + ".claim")) << to_text(second);
    std::ofstream(out_.path() / (".lock-" + second.token + ".claim")) << to_text(third);
    EXPECT_EQ(winners_of(4, out_.path()), 1);
    testing::internal::GetCapturedStderr();
    // Nothing but the winner's lock stays.
    EXPECT_EQ(files(), 1);
}

}  // namespace
}  // namespace flipstorm
