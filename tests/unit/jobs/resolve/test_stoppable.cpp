#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <mutex>
#include <thread>

#include "analysis/python.hpp"
#include "engine/base/temporary_file.hpp"
#include "engine/base/timing.hpp"
#include "jobs/resolve/context.hpp"
#include "jobs/resolve/stoppable.hpp"
#include "mpi/stop_watchdog.hpp"
#include "tests/unit/mpi/temporary_folder.hpp"

namespace flipstorm
{
namespace
{

using std::chrono::milliseconds;

TEST(StopWatchdog, CallsOnceThePatienceIsOver)
{
    const ScopedSignalHandler signals;
    StopConditions stop(signals, std::nullopt, {});
    std::mutex mutex;
    std::condition_variable changed;
    std::string heard;
    const StopWatchdog watchdog(stop, 0.2, [&](const StopReason& reason) {
        const std::lock_guard<std::mutex> lock(mutex);
        heard += reason.text;
        changed.notify_all();
    });
    const Stopwatch watch;
    std::raise(SIGTERM);
    std::unique_lock<std::mutex> lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&heard] { return !heard.empty(); }));
    EXPECT_GE(watch.seconds(), 0.19);
    EXPECT_EQ(heard, "signal SIGTERM");
}

TEST(StopWatchdog, LeavesAloneWhatStopsByItselfAndWhatIsNotAsked)
{
    const ScopedSignalHandler signals;
    StopConditions stop(signals, std::nullopt, {});
    bool called = false;
    {
        const StopWatchdog watchdog(stop, 0, [&called](const StopReason&) { called = true; });
        std::this_thread::sleep_for(milliseconds(250));
    }
    {
        const StopWatchdog watchdog(stop, 3600, [&called](const StopReason&) { called = true; });
        std::raise(SIGTERM);
        std::this_thread::sleep_for(milliseconds(250));
    }
    EXPECT_FALSE(called);
}

struct Stoppable : ::testing::Test
{
    test::TemporaryFolder out;
    ScopedSignalHandler signals;
    StopConditions stop{signals, std::nullopt, {}};
    Context context;

    void SetUp() override
    {
        context.job.job.out = out.path().string();
        context.stop = &stop;
    }
};

TEST_F(Stoppable, WorkThatIsNotAskedIsDone)
{
    int calls = 0;
    EXPECT_EQ(on_root_until_stopped(context, {},
                                    [&calls](const StopRequest& asked) {
                                        calls += asked() ? 100 : 1;
                                        return StageEnd::complete;
                                    }),
              StageEnd::complete);
    EXPECT_EQ(calls, 1);
    context.stop = nullptr;
    std::raise(SIGTERM);
    EXPECT_EQ(on_root_until_stopped(context, {},
                                    [](const StopRequest& asked) {
                                        EXPECT_FALSE(asked());
                                        return StageEnd::complete;
                                    }),
              StageEnd::complete);
}

TEST_F(Stoppable, AStopInTheMiddleOrBeforeTheStartIsNoError)
{
    int calls = 0;
    const auto work = [&calls](const StopRequest& asked) {
        ++calls;
        std::raise(SIGUSR1);
        stop_if_asked(asked);
        return StageEnd::complete;
    };
    EXPECT_EQ(on_root_until_stopped(context, {}, work), StageEnd::stopped);
    EXPECT_EQ(on_root_until_stopped(context, {}, work), StageEnd::stopped);
    EXPECT_EQ(calls, 1) << "it began although a stop was asked for";
}

TEST_F(Stoppable, WorkThatCannotBeInterruptedIsEndedAndNothingHalfIsLeft)
{
    const std::filesystem::path target = out.path() / "model.h5";
    std::ofstream(target).put('x');
    EXPECT_EXIT(
        {
            on_root_until_stopped(context, {"go on", {target}}, [&](const StopRequest&) -> StageEnd {
                std::ofstream(create_temporary(target)).put('x');
                std::raise(SIGTERM);
                std::this_thread::sleep_for(std::chrono::seconds(60));
                return StageEnd::complete;
            });
        },
        testing::ExitedWithCode(75), "stopped by signal SIGTERM: go on");
    EXPECT_TRUE(std::filesystem::exists(target));
    for (const auto& entry : std::filesystem::directory_iterator(out.path()))
        EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
}

TEST(RunChild, ReturnsTheExitStatus)
{
    EXPECT_EQ(run_child({"sh", "-c", "exit 7"}, true), 7);
    EXPECT_EQ(run_child({"/nowhere/at/all"}, true), -1);
    EXPECT_EQ(run_child({"sh", "-c", "kill -9 $$"}, true), -1);
    EXPECT_EQ(run_child({"sh", "-c", "exit 8"}, true, [] { return false; }), 8);
}

TEST(RunChild, IgnoredSignalsAreNotInherited)
{
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    // A shell whose SIGPIPE is ignored from the start cannot be killed by it.
    EXPECT_EQ(run_child({"sh", "-c", "kill -PIPE $$; exit 3"}, true), -1);
    std::signal(SIGPIPE, before);
}

TEST(RunChild, AStopKillsItAndAllThatItStarted)
{
    const test::TemporaryFolder folder;
    const std::filesystem::path file = folder.path() / "pid";
    const std::string script = "sleep 600 & echo $! > '" + file.string() + ".new'; mv '" + file.string() +
                               ".new' '" + file.string() + "'; wait";
    EXPECT_THROW(run_child({"sh", "-c", script}, true, [&file] { return std::filesystem::exists(file); }),
                 Stopped);
    pid_t grandchild = 0;
    std::ifstream(file) >> grandchild;
    ASSERT_GT(grandchild, 1);
    const Stopwatch watch;
    const auto runs = [grandchild] {
        std::ifstream status("/proc/" + std::to_string(grandchild) + "/stat");
        std::string text;
        std::getline(status, text);
        const std::size_t name_end = text.rfind(')');
        return name_end != std::string::npos && text.substr(name_end, 4).find('Z') == std::string::npos;
    };
    while (runs() && watch.seconds() < 20)
        std::this_thread::sleep_for(milliseconds(20));
    EXPECT_FALSE(runs());
}

}  // namespace
}  // namespace flipstorm
