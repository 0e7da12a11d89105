#include "mpi/gradient_reducer.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/mpi/world.hpp"

namespace flipstorm::test
{
namespace
{

/// Σ over the ranks of (rank + 1): each rank's share of what is summed.
double all_shares()
{
    return world().size() * (world().size() + 1) / 2.0;
}

TEST(GradientReducer, SumsBuffersThatWereBegunOneAfterAnother)
{
    GradientReducer reducer(world());
    for (int round = 0; round < 3; ++round)
    {
        std::vector<std::vector<float>> buffers;
        for (const std::size_t size : {1U, 1000U, 300000U, 7U})
            buffers.emplace_back(size, static_cast<float>(world().rank() + 1));
        for (std::vector<float>& buffer : buffers)
        {
            buffer.back() = static_cast<float>(100 * round + world().rank());
            reducer.begin(buffer.data(), buffer.size());
            reducer.advance();
            // A blocking sum in between, on ranks that may have progressed further or less far.
            double values[] = {1, world().rank() + 1.0};
            reducer.sum(values, 2);
            EXPECT_EQ(values[0], world().size());
            EXPECT_EQ(values[1], all_shares());
        }
        reducer.finish();
        EXPECT_EQ(reducer.pending(), 0U);
        for (const std::vector<float>& buffer : buffers)
        {
            for (std::size_t i = 0; i + 1 < buffer.size(); ++i)
                ASSERT_EQ(buffer[i], static_cast<float>(all_shares()));
            const double last = 100.0 * round * world().size() + all_shares() - world().size();
            EXPECT_EQ(buffer.back(), static_cast<float>(last));
        }
    }
}

TEST(GradientReducer, GivesAllRanksTheSameBits)
{
    GradientReducer reducer(world());
    std::vector<float> values(100000);
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = 1.0F / static_cast<float>(i + 1 + static_cast<std::size_t>(world().rank()) * 17);
    std::vector<float> again = values;
    reducer.begin(values.data(), values.size());
    reducer.finish();
    reducer.begin(again.data(), again.size());
    reducer.finish();
    EXPECT_EQ(values, again);
    const std::string mine(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    for (const std::string& other : world().all_gather(mine))
        EXPECT_TRUE(other == mine);
}

TEST(GradientReducer, SaysWhatMpiCanDo)
{
    EXPECT_TRUE(mpi_takes_any_thread());
    EXPECT_FALSE(mpi_takes_device_memory() && world().is_null());
    GradientReducer reducer(world());
    reducer.advance();
    reducer.finish();  // nothing to wait for
}

}  // namespace
}  // namespace flipstorm::test
