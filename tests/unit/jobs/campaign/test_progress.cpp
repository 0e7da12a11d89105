#include <gtest/gtest.h>

#include "engine/network/builders.hpp"
#include "jobs/campaign/progress.hpp"

namespace flipstorm
{
namespace
{

TEST(Progress, SaysHowFarHowFastAndHowLong)
{
    ProgressState state;
    state.faults_done = 600;
    state.faults_total = 1000;
    state.faults_this_run = 500;
    state.seconds = 50;
    state.macs_done = 3e9;
    state.macs_left = 6e9;
    state.segment_age = 4;
    state.seconds_to_deadline = 90;
    EXPECT_EQ(render_progress(state),
              "600/1000 faults (60.0 %), 10 faults/s, saved 4 s ago, 1:40 min left (more than the deadline "
              "in 1:30 min)");
    state.seconds_to_deadline = 7200;
    state.critical = ShareEstimate{{0.05, 0.0225, 0.1076}, 100, 5, 1.0};
    EXPECT_EQ(
        render_progress(state),
        "600/1000 faults (60.0 %), 10 faults/s, critical 5.00 % [2.25, 10.76], saved 4 s ago, 1:40 min left "
        "(deadline in 2:00 h)");
    state.ranks = 2;
    EXPECT_NE(render_progress(state).find("critical 5.00 % [2.25, 10.76] (this rank's faults), saved"),
              std::string::npos);
}

TEST(CriticalCount, CountsByStratum)
{
    const auto layers = injectable_layers(build_network("lenet5", {1, 28, 28}, 10, {{0.3F}, {0.3F}}, 1));
    const Plan plan(layers, {Scheme::layer_wise, {}, 100, 1, 10});
    CriticalCount count(plan, 0.1);
    // conv1 is 4,800 of 1,967,040 bits; all its faults critical, and half of fc1's (1,536,000 bits).
    for (const Chunk& chunk : plan.chunks())
    {
        const bool last_layer = chunk.layer.value() == 4;
        if (!last_layer)
        {
            EXPECT_FALSE(count.estimate().has_value()) << "an estimate before every layer was seen";
        }
        std::vector<Outcome> outcomes(chunk.count);
        for (std::size_t i = 0; i < outcomes.size(); ++i)
        {
            const FaultIndex fault(chunk.first.value() + i);
            const bool hit = chunk.layer.value() == 0 || (chunk.layer.value() == 2 && fault.value() % 2 == 0);
            outcomes[i].drop = hit ? 0.2 : 0.1;
        }
        count.add(chunk, outcomes);
    }
    ASSERT_TRUE(count.estimate().has_value());
    EXPECT_EQ(count.estimate()->faults, 100U);
    EXPECT_NEAR(count.estimate()->share, (4800.0 + 768000.0) / 1967040.0, 1e-12);
}

}  // namespace
}  // namespace flipstorm
