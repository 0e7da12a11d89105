#include "mpi/stop.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/base/error.hpp"
#include "tests/unit/mpi/temporary_folder.hpp"

namespace flipstorm
{
namespace
{

constexpr std::time_t kNow = 1'681'723'800;  // 2023-04-17T09:30:00Z

std::time_t frozen_clock()
{
    return kNow;
}

TEST(ScopedSignalHandler, CatchesEachSignal)
{
    for (const int number : {SIGUSR1, SIGUSR2, SIGTERM, SIGINT})
    {
        const ScopedSignalHandler signals;
        EXPECT_EQ(signals.caught(), 0);
        std::raise(number);
        EXPECT_EQ(signals.caught(), number);
    }
}

TEST(ScopedSignalHandler, TheFirstSignalCounts)
{
    const ScopedSignalHandler signals;
    std::raise(SIGUSR2);
    std::raise(SIGTERM);
    std::raise(SIGTERM);
    EXPECT_EQ(signals.caught(), SIGUSR2);
}

int calls_of_old_handler = 0;

TEST(ScopedSignalHandler, RestoresTheOldHandler)
{
    const auto before = std::signal(SIGUSR1, [](int) { ++calls_of_old_handler; });
    {
        const ScopedSignalHandler signals;
        std::raise(SIGUSR1);
        EXPECT_EQ(calls_of_old_handler, 0);
    }
    std::raise(SIGUSR1);
    EXPECT_EQ(calls_of_old_handler, 1);
    std::signal(SIGUSR1, before);
}

TEST(ScopedSignalHandler, OneAtATime)
{
    {
        const ScopedSignalHandler first;
        EXPECT_THROW(ScopedSignalHandler second, Error);
    }
    EXPECT_NO_THROW(ScopedSignalHandler third);
}

TEST(ScopedSignalHandlerDeathTest, SecondInterruptKills)
{
    EXPECT_EXIT(
        {
            const ScopedSignalHandler signals;
            std::raise(SIGINT);
            if (signals.caught() == SIGINT) std::raise(SIGINT);
            std::_Exit(3);
        },
        testing::KilledBySignal(SIGINT), "");
}

TEST(StopConditions, NothingStops)
{
    const test::TemporaryFolder out;
    const ScopedSignalHandler signals;
    StopConditions stop(signals, std::nullopt, out.path(), frozen_clock);
    EXPECT_FALSE(stop.check());
    EXPECT_FALSE(StopConditions(signals, kNow + 1, out.path() / "absent", frozen_clock).check());
}

TEST(StopConditions, Signal)
{
    const test::TemporaryFolder out;
    const ScopedSignalHandler signals;
    StopConditions stop(signals, kNow, out.path(), frozen_clock);
    std::raise(SIGUSR1);
    const auto reason = stop.check();
    ASSERT_TRUE(reason);
    EXPECT_EQ(reason->kind, StopKind::signal);
    EXPECT_EQ(reason->text, "signal SIGUSR1");
}

TEST(StopConditions, DeadlineIsReachedAtItsSecond)
{
    const test::TemporaryFolder out;
    const ScopedSignalHandler signals;
    std::time_t now = kNow - 1;
    StopConditions stop(signals, kNow, out.path(), [&] { return now; });
    EXPECT_FALSE(stop.check());
    now = kNow;
    const auto reason = stop.check();
    ASSERT_TRUE(reason);
    EXPECT_EQ(reason->kind, StopKind::deadline);
    EXPECT_EQ(reason->text, "deadline 2023-04-17T09:30:00Z reached");
}

TEST(StopConditions, AClockThatIsSetBackDoesNotProlongTheDeadline)
{
    const test::TemporaryFolder out;
    const ScopedSignalHandler signals;
    std::time_t now = kNow;
    double steady = 1000;
    StopConditions stop(
        signals, kNow + 60, out.path(), [&] { return now; }, [&] { return steady; });
    EXPECT_EQ(stop.seconds_left(), 60);
    now -= 3600;
    steady += 59;
    EXPECT_EQ(stop.seconds_left(), 1);
    EXPECT_FALSE(stop.check());
    steady += 1;
    ASSERT_TRUE(stop.check());
    EXPECT_EQ(stop.check()->kind, StopKind::deadline);
}

TEST(StopConditions, AClockThatIsSetForwardReachesTheDeadline)
{
    const test::TemporaryFolder out;
    const ScopedSignalHandler signals;
    std::time_t now = kNow;
    StopConditions stop(
        signals, kNow + 60, out.path(), [&] { return now; }, [] { return 1000.0; });
    EXPECT_FALSE(stop.check());
    now += 3600;
    EXPECT_EQ(stop.seconds_left(), 60 - 3600);
    EXPECT_TRUE(stop.check());
    EXPECT_FALSE(StopConditions(signals, std::nullopt, out.path()).seconds_left());
}

TEST(StopConditions, FileIsLookedForOnceASecondWhateverTheClockSays)
{
    const test::TemporaryFolder out;
    const ScopedSignalHandler signals;
    double now = 1000;
    StopConditions stop(signals, std::nullopt, out.path(), frozen_clock, [&] { return now; });
    EXPECT_FALSE(stop.check());
    std::ofstream(out.path() / kStopFile).put('\n');
    now += 0.9;
    EXPECT_FALSE(stop.check());
    now += 0.1;
    auto reason = stop.check();
    ASSERT_TRUE(reason);
    EXPECT_EQ(reason->kind, StopKind::file);
    EXPECT_EQ(reason->text, "file STOP found");
    std::raise(SIGTERM);
    std::filesystem::remove(out.path() / kStopFile);
    reason = stop.check();
    ASSERT_TRUE(reason);
    EXPECT_EQ(reason->kind, StopKind::file);
}

TEST(StopConditions, AskedLooksTenTimesASecondAtMost)
{
    const test::TemporaryFolder out;
    const ScopedSignalHandler signals;
    double steady = 1000;
    int looks = 0;
    StopConditions stop(
        signals, kNow + 1, out.path(),
        [&] {
            ++looks;
            return kNow;
        },
        [&] { return steady; });
    const int before = looks;
    for (int i = 0; i < 100; ++i)
        EXPECT_FALSE(stop.asked());
    EXPECT_EQ(looks, before + 1);
    steady += 0.11;
    EXPECT_FALSE(stop.asked());
    EXPECT_EQ(looks, before + 2);
    steady += 1;  // the deadline, by this clock
    EXPECT_TRUE(stop.asked());
    EXPECT_TRUE(stop.asked());
}

TEST(StopConditions, AskedHearsASignalAtOnce)
{
    const ScopedSignalHandler signals;
    StopConditions stop(signals, std::nullopt, {}, frozen_clock, [] { return 1000.0; });
    EXPECT_FALSE(stop.asked());
    std::raise(SIGUSR2);
    EXPECT_TRUE(stop.asked());
    EXPECT_EQ(stop.check()->text, "signal SIGUSR2");
}

TEST(StopConditions, AnotherRanksReasonCountsUnlessThereIsOne)
{
    const ScopedSignalHandler signals;
    StopConditions stop(signals, std::nullopt, {}, frozen_clock, [] { return 1000.0; });
    stop.tell({StopKind::signal, "signal SIGTERM on rank 3"});
    EXPECT_TRUE(stop.asked());
    stop.tell({StopKind::signal, "signal SIGUSR1 on rank 4"});
    EXPECT_EQ(stop.check()->text, "signal SIGTERM on rank 3");
}

TEST(StopConditions, WithoutAFolderNoFileStops)
{
    const ScopedSignalHandler signals;
    const test::TemporaryFolder here;
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(here.path());
    std::ofstream(kStopFile).put('\n');
    EXPECT_FALSE(StopConditions(signals, std::nullopt, {}).check());
    std::filesystem::current_path(before);
}

TEST(ScopedSignalHandlerDeathTest, ASignalBeforeItCounts)
{
    EXPECT_EXIT(
        {
            catch_signals_early();
            std::raise(SIGUSR1);
            const ScopedSignalHandler signals;
            std::_Exit(signals.caught() == SIGUSR1 ? 3 : 4);
        },
        testing::ExitedWithCode(3), "");
}

TEST(ScopedSignalHandlerDeathTest, AfterAnEarlyInterruptTheSecondKills)
{
    EXPECT_EXIT(
        {
            catch_signals_early();
            std::raise(SIGINT);
            const ScopedSignalHandler signals;
            if (signals.caught() == SIGINT) std::raise(SIGINT);
            std::_Exit(3);
        },
        testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace flipstorm
