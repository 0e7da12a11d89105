#include "mpi/placement.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

TEST(Placement, DeviceIsLocalRankModuloVisibleDevices)
{
    EXPECT_EQ(choose_device(0, 4), 0);
    EXPECT_EQ(choose_device(3, 4), 3);
    EXPECT_EQ(choose_device(5, 4), 1);
    EXPECT_EQ(choose_device(3, 1), 0);  // each rank sees its own device only
    EXPECT_EQ(choose_device(2, 0), -1);
}

TEST(Placement, RanksBeyondTheDevicesUseTheProcessor)
{
    // Two GPUs, three ranks each, eight ranks.
    const std::vector<int> expected{0, 1, 0, 1, 0, 1, -1, -1};
    for (int rank = 0; rank < 8; ++rank)
        EXPECT_EQ(choose_device(rank, 2, 3), expected[static_cast<std::size_t>(rank)]) << rank;
    EXPECT_EQ(choose_device(0, 1, 1), 0);
    EXPECT_EQ(choose_device(1, 1, 1), -1);
    EXPECT_EQ(choose_device(0, 0, 1), -1);
}

TEST(Placement, RanksBoundToTheirOwnProcessorsUseThemAll)
{
    const std::vector<CpuSet> cpus{{0, 1, 2, 3}, {4, 5}, {6}};
    EXPECT_EQ(threads_per_rank(cpus, 0, 0, 0), 4);
    EXPECT_EQ(threads_per_rank(cpus, 1, 0, 0), 2);
    EXPECT_EQ(threads_per_rank(cpus, 2, 0, 0), 1);
}

TEST(Placement, RanksOnTheSameProcessorsDivideThem)
{
    const CpuSet eight{0, 1, 2, 3, 4, 5, 6, 7};
    EXPECT_EQ(threads_per_rank({eight}, 0, 0, 0), 8);
    EXPECT_EQ(threads_per_rank({eight, eight}, 1, 0, 0), 4);
    EXPECT_EQ(threads_per_rank({eight, eight, eight}, 2, 0, 0), 2);
    EXPECT_EQ(threads_per_rank(std::vector<CpuSet>(7, eight), 0, 0, 0), 1);
    EXPECT_EQ(threads_per_rank(std::vector<CpuSet>(50, eight), 49, 0, 0), 1);
    // Thirds of three processors make one, whatever the rounding.
    EXPECT_EQ(threads_per_rank(std::vector<CpuSet>(3, CpuSet{0, 1, 2}), 0, 0, 0), 1);
}

TEST(Placement, OverlappingSetsShareTheOverlapOnly)
{
    const std::vector<CpuSet> cpus{{0, 1, 2, 3}, {2, 3, 4, 5}};
    EXPECT_EQ(threads_per_rank(cpus, 0, 0, 0), 3);
    EXPECT_EQ(threads_per_rank(cpus, 1, 0, 0), 3);
}

TEST(Placement, RequestBeatsEnvironmentBeatsShare)
{
    const std::vector<CpuSet> cpus{{0, 1, 2, 3}};
    EXPECT_EQ(threads_per_rank(cpus, 0, 2, 3), 3);
    EXPECT_EQ(threads_per_rank(cpus, 0, 2, 0), 2);
    EXPECT_EQ(threads_per_rank({{}}, 0, 0, 0), 1);
    EXPECT_THROW((void)threads_per_rank(cpus, 1, 0, 0), Error);
    EXPECT_THROW((void)threads_per_rank(cpus, -1, 0, 0), Error);
}

TEST(Placement, ParsesOmpNumThreads)
{
    EXPECT_EQ(parse_omp_num_threads(nullptr), 0);
    EXPECT_EQ(parse_omp_num_threads(""), 0);
    EXPECT_EQ(parse_omp_num_threads("4"), 4);
    EXPECT_EQ(parse_omp_num_threads("4,2"), 4);
    EXPECT_EQ(parse_omp_num_threads("-3"), 0);
    EXPECT_EQ(parse_omp_num_threads("4x"), 0);
    EXPECT_EQ(parse_omp_num_threads("many"), 0);
}

TEST(Placement, ThisProcessMayRunSomewhere)
{
    const CpuSet cpus = allowed_cpus();
    ASSERT_FALSE(cpus.empty());
    EXPECT_TRUE(std::is_sorted(cpus.begin(), cpus.end()));
    EXPECT_EQ(std::adjacent_find(cpus.begin(), cpus.end()), cpus.end());
    EXPECT_EQ(gather_allowed_cpus(Communicator()), std::vector<CpuSet>{cpus});
}

}  // namespace
}  // namespace flipstorm
