// Not tests of their own: ctest runs each and expects the whole run to fail.

#include <gtest/gtest.h>

#include <csignal>
#include <stdexcept>

#include "engine/base/error.hpp"
#include "tests/mpi/world.hpp"

namespace flipstorm::test
{
namespace
{

bool last_rank()
{
    return world().rank() == world().size() - 1;
}

TEST(OneRankFails, expect)
{
    EXPECT_FALSE(last_rank());
    world().barrier();
}

TEST(OneRankFails, assert)
{
    ASSERT_FALSE(last_rank());
    world().barrier();
}

TEST(OneRankFails, throw)
{
    if (last_rank()) throw std::runtime_error("thrown by the last rank");
    world().barrier();
}

TEST(OneRankFails, abort)
{
    if (last_rank()) session().abort(static_cast<int>(ExitCode::usage));
    world().barrier();
}

TEST(OneRankFails, segfault)
{
    if (last_rank()) std::raise(SIGSEGV);
    world().barrier();
}

}  // namespace
}  // namespace flipstorm::test
