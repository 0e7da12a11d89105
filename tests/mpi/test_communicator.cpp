#include "mpi/communicator.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <numeric>
#include <thread>

#include "engine/base/error.hpp"
#include "engine/base/timing.hpp"
#include "mpi/mpi_check.hpp"
#include "mpi/placement.hpp"
#include "mpi/session.hpp"
#include "tests/mpi/world.hpp"

namespace flipstorm::test
{
namespace
{

using Strings = std::vector<std::string>;

/// Bytes that tell sender, receiver and position; of very different lengths, some empty.
std::string message(int from, int to)
{
    const int kind = (from + 2 * to) % 4;
    const std::size_t length = kind == 0 ? 0 : kind == 1 ? 5 : kind == 2 ? 3'000'000 : 40'000'001;
    std::string bytes(length, static_cast<char>('a' + from));
    for (std::size_t i = 0; i < length; i += 1000)
        bytes[i] = static_cast<char>((i / 1000 + static_cast<std::size_t>(to)) & 0x7fU);
    return bytes;
}

TEST(Communicator, IsNullWithoutALauncherOnly)
{
    const bool launched = detect_launch([](const char* name) { return std::getenv(name); }).by_launcher;
    EXPECT_EQ(world().is_null(), !launched);
    EXPECT_EQ(world().handle() == MPI_COMM_NULL, !launched);
    int initialized = 0;
    MPI_Initialized(&initialized);
    EXPECT_EQ(initialized != 0, launched);
    EXPECT_LT(world().rank(), world().size());
    EXPECT_EQ(world().is_root(), world().rank() == 0);
}

TEST(Communicator, ErrorsAreThrown)
{
    if (world().is_null()) GTEST_SKIP() << "no MPI";
    try
    {
        FS_MPI(MPI_Send(nullptr, 1, MPI_INT, world().size(), 0, world().handle()));
        FAIL() << "nothing thrown";
    }
    catch (const MpiError& error)
    {
        const std::string text = error.what();
        EXPECT_NE(text.find("MPI_Send"), std::string::npos) << text;
        EXPECT_NE(text.find("MPI_ERR_"), std::string::npos) << text;
        EXPECT_NE(text.find("test_communicator.cpp"), std::string::npos) << text;
    }
}

TEST(Communicator, BroadcastsFromEveryRoot)
{
    for (int root = 0; root < world().size(); ++root)
    {
        for (int kind = 0; kind < 4; ++kind)
        {
            std::string bytes = world().rank() == root ? message(root, kind) : "old";
            world().broadcast(bytes, root);
            EXPECT_TRUE(bytes == message(root, kind)) << bytes.size();
        }
        const auto mine = static_cast<std::uint64_t>(world().rank()) + (std::uint64_t{1} << 60U);
        EXPECT_EQ(world().broadcast(mine, root),
                  static_cast<std::uint64_t>(root) + (std::uint64_t{1} << 60U));
    }
}

TEST(Communicator, ReducesScalars)
{
    const auto ranks = static_cast<std::uint64_t>(world().size());
    const auto mine = static_cast<std::uint64_t>(world().rank()) + 1;
    EXPECT_EQ(world().all_reduce(mine, Reduce::sum), ranks * (ranks + 1) / 2);
    EXPECT_EQ(world().all_reduce(mine, Reduce::min), 1U);
    EXPECT_EQ(world().all_reduce(mine, Reduce::max), ranks);
    EXPECT_EQ(world().all_reduce(std::uint64_t{1} << mine, Reduce::bit_or), (std::uint64_t{2} << ranks) - 2);
    EXPECT_EQ(world().all_reduce(0.5 * static_cast<double>(mine), Reduce::sum),
              0.25 * static_cast<double>(ranks * (ranks + 1)));
    EXPECT_EQ(world().all_reduce(-static_cast<double>(mine), Reduce::min), -static_cast<double>(ranks));
    EXPECT_EQ(world().all_reduce(-static_cast<double>(mine), Reduce::max), -1.0);
}

TEST(Communicator, ReducesVectors)
{
    const auto ranks = static_cast<std::size_t>(world().size());
    const auto here = static_cast<std::size_t>(world().rank());
    // More than one piece, the last of them short.
    std::vector<std::uint64_t> counts((std::size_t{1} << 21U) + 3);
    std::iota(counts.begin(), counts.end(), here);
    world().all_reduce(counts, Reduce::max);
    EXPECT_EQ(counts.front(), ranks - 1);
    EXPECT_EQ(counts.back(), counts.size() - 1 + ranks - 1);
    EXPECT_EQ(counts[counts.size() / 2], counts.size() / 2 + ranks - 1);

    std::vector<std::uint8_t> flags(ranks);
    flags[here] = static_cast<std::uint8_t>(1U << here);
    world().all_reduce(flags, Reduce::bit_or);
    for (std::size_t r = 0; r < ranks; ++r)
        EXPECT_EQ(flags[r], 1U << r);

    std::vector<float> gradient{1.5F, static_cast<float>(here)};
    world().all_reduce(gradient.data(), gradient.size(), Reduce::sum);
    EXPECT_EQ(gradient[0], 1.5F * static_cast<float>(ranks));
    EXPECT_EQ(gradient[1], static_cast<float>(ranks * (ranks - 1) / 2));

    std::vector<std::uint64_t> none;
    world().all_reduce(none, Reduce::sum);
    EXPECT_TRUE(none.empty());
}

TEST(Communicator, Gathers)
{
    for (int root = 0; root < world().size(); ++root)
    {
        const Strings gathered = world().gather(message(world().rank(), root), root);
        if (world().rank() != root)
        {
            EXPECT_TRUE(gathered.empty());
            continue;
        }
        ASSERT_EQ(gathered.size(), static_cast<std::size_t>(world().size()));
        for (int r = 0; r < world().size(); ++r)
            EXPECT_TRUE(gathered[static_cast<std::size_t>(r)] == message(r, root));
    }
}

TEST(Communicator, AllGathers)
{
    for (int kind = 0; kind < 4; ++kind)
    {
        const Strings gathered = world().all_gather(message(world().rank(), kind));
        ASSERT_EQ(gathered.size(), static_cast<std::size_t>(world().size()));
        for (int r = 0; r < world().size(); ++r)
            EXPECT_TRUE(gathered[static_cast<std::size_t>(r)] == message(r, kind));
    }
    EXPECT_EQ(world().all_gather(""), Strings(static_cast<std::size_t>(world().size())));
}

TEST(Communicator, Exchanges)
{
    Strings out;
    for (int to = 0; to < world().size(); ++to)
        out.push_back(message(world().rank(), to));
    const Strings in = world().exchange(std::move(out));
    ASSERT_EQ(in.size(), static_cast<std::size_t>(world().size()));
    for (int from = 0; from < world().size(); ++from)
    {
        EXPECT_TRUE(in[static_cast<std::size_t>(from)] == message(from, world().rank())) << from;
    }
    const Strings nothing(static_cast<std::size_t>(world().size()));
    EXPECT_EQ(world().exchange(nothing), nothing);
}

TEST(Communicator, PatientBarrierWaitsWithoutWork)
{
    world().patient_barrier();
    std::timespec before{};
    std::timespec after{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    const Stopwatch watch;
    if (world().is_root()) std::this_thread::sleep_for(std::chrono::milliseconds(500));
    world().patient_barrier();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    EXPECT_GE(watch.seconds(), 0.4);
    const double work = static_cast<double>(after.tv_sec - before.tv_sec) +
                        1e-9 * static_cast<double>(after.tv_nsec - before.tv_nsec);
    EXPECT_LT(work, 0.1);
}

TEST(Communicator, Splits)
{
    const int rank = world().rank();
    const Communicator half = world().split(rank % 2);
    if (!world().is_null())
    {
        EXPECT_EQ(half.size(), (world().size() + 1 - rank % 2) / 2);
        EXPECT_EQ(half.rank(), rank / 2);
    }
    const Strings members = half.all_gather(std::to_string(rank));
    for (std::size_t i = 0; i < members.size(); ++i)
        EXPECT_EQ(members[i], std::to_string(2 * static_cast<int>(i) + rank % 2));

    const Communicator copy = half;
    copy.barrier();
}

TEST(Communicator, KnowsItsPlaceOnTheNode)
{
    const Communicator node = world().split_by_node();
    const NodePlace place = world().node_place();
    EXPECT_EQ(place.local_rank, node.rank());
    EXPECT_EQ(place.local_size, node.size());
    const std::vector<CpuSet> cpus = gather_allowed_cpus(node);
    ASSERT_EQ(cpus.size(), static_cast<std::size_t>(node.size()));
    EXPECT_EQ(cpus[static_cast<std::size_t>(node.rank())], allowed_cpus());
    const int threads = threads_per_rank(cpus, node.rank(), 0, 0);
    EXPECT_GE(threads, 1);
    EXPECT_LE(threads, static_cast<int>(allowed_cpus().size()));
}

}  // namespace
}  // namespace flipstorm::test
