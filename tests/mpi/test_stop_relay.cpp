#include "mpi/stop_relay.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "engine/base/timing.hpp"
#include "tests/mpi/world.hpp"

namespace flipstorm::test
{
namespace
{

/// Rank 0 works until it is told to stop, the others wait. \return seconds that it took; 30 if it was never
/// told
double work_until_told(StopConditions& stop)
{
    StopRelay relay(world(), &stop);
    const Stopwatch watch;
    if (world().is_root())
    {
        while (!stop.asked() && watch.seconds() < 30)
        {
            relay.listen();
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    }
    relay.wait();
    return watch.seconds();
}

TEST(StopRelay, RankZeroHearsOfASignalToTheLastRank)
{
    const ScopedSignalHandler signals;
    StopConditions stop(signals, std::nullopt, {});
    const int last = world().size() - 1;
    if (world().rank() == last) std::raise(SIGUSR1);
    EXPECT_LT(work_until_told(stop), 20);
    if (world().is_root() && last > 0)
    {
        EXPECT_EQ(stop.check()->text, "signal SIGUSR1 on rank " + std::to_string(last));
    }
}

TEST(StopRelay, ManyMayTell)
{
    for (int round = 0; round < 3; ++round)
    {
        const ScopedSignalHandler signals;
        StopConditions stop(signals, std::nullopt, {});
        std::raise(SIGUSR2);
        EXPECT_LT(work_until_told(stop), 20);
    }
}

TEST(StopRelay, WithoutAReasonItIsABarrier)
{
    const ScopedSignalHandler signals;
    StopConditions stop(signals, std::nullopt, {});
    StopRelay relay(world(), &stop);
    relay.wait();
    EXPECT_FALSE(stop.asked());
    StopRelay without(world(), nullptr);
    without.wait();
}

}  // namespace
}  // namespace flipstorm::test
