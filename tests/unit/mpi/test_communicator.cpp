// The null communicator: rank 0 of 1 without MPI.

#include <gtest/gtest.h>

#include "engine/base/error.hpp"
#include "mpi/communicator.hpp"
#include "mpi/mpi_check.hpp"

namespace flipstorm
{
namespace
{

using Strings = std::vector<std::string>;

TEST(NullCommunicator, IsRankZeroOfOne)
{
    const Communicator comm;
    EXPECT_TRUE(comm.is_null());
    EXPECT_TRUE(comm.is_root());
    EXPECT_EQ(comm.rank(), 0);
    EXPECT_EQ(comm.size(), 1);
    EXPECT_EQ(comm.handle(), MPI_COMM_NULL);
    EXPECT_EQ(comm.node_place().local_rank, 0);
    EXPECT_EQ(comm.node_place().local_size, 1);
    EXPECT_TRUE(comm.split(3).is_null());
    EXPECT_TRUE(comm.split_by_node().is_null());
}

TEST(NullCommunicator, CollectivesGiveBackWhatTheyGet)
{
    const Communicator comm;
    comm.barrier();
    comm.patient_barrier();
    std::string bytes = "abc";
    comm.broadcast(bytes);
    EXPECT_EQ(bytes, "abc");
    EXPECT_EQ(comm.broadcast(std::uint64_t{7}), 7U);
    EXPECT_EQ(comm.all_reduce(std::uint64_t{7}, Reduce::sum), 7U);
    EXPECT_EQ(comm.all_reduce(0.5, Reduce::min), 0.5);
    std::vector<std::uint64_t> counts{1, 2};
    comm.all_reduce(counts, Reduce::max);
    EXPECT_EQ(counts, (std::vector<std::uint64_t>{1, 2}));
    EXPECT_EQ(comm.gather("x"), Strings{"x"});
    EXPECT_EQ(comm.all_gather(""), Strings{""});
    EXPECT_EQ(comm.exchange({"self"}), Strings{"self"});
}

TEST(NullCommunicator, RefusesWhatNoCommunicatorCanDo)
{
    const Communicator comm;
    EXPECT_THROW((void)comm.broadcast(std::uint64_t{1}, 1), Error);
    EXPECT_THROW((void)comm.gather("x", -1), Error);
    EXPECT_THROW((void)comm.exchange({}), Error);
    EXPECT_THROW((void)comm.split(-1), Error);
    EXPECT_THROW((void)comm.all_reduce(1.0, Reduce::bit_or), Error);
}

TEST(MpiCheck, MessageNamesTheCallAndThePlaceEvenWithoutMpi)
{
    try
    {
        throw_mpi_error(MPI_ERR_TRUNCATE, "MPI_Recv(x)", "here.cpp", 12);
    }
    catch (const MpiError& error)
    {
        const std::string message = error.what();
        EXPECT_NE(message.find("MPI_Recv(x)"), std::string::npos) << message;
        EXPECT_NE(message.find("here.cpp:12"), std::string::npos) << message;
    }
}

}  // namespace
}  // namespace flipstorm
