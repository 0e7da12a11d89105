#include "engine/base/library_memory.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <fstream>

#include "engine/base/failure_text.hpp"

namespace flipstorm
{
namespace
{

/// In a child: allow so much more address space than there is.
void allow(std::size_t more)
{
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t bytes = pages * 4096 + more;
    const struct rlimit limit = {bytes, bytes};
    ::setrlimit(RLIMIT_AS, &limit);
}

TEST(LibraryMemoryDeathTest, RoomIsThereOrNot)
{
    constexpr std::size_t kMiB = std::size_t{1} << 20U;
    EXPECT_EXIT(
        {
            allow(64 * kMiB);
            const bool right =
                has_room_for(32 * kMiB) && has_room_for(32 * kMiB) && !has_room_for(128 * kMiB);
            std::_Exit(right && address_space_limit() ? 3 : 4);
        },
        testing::ExitedWithCode(3), "");
}

TEST(LibraryMemory, WithoutALimitNothingIsReserved)
{
    struct rlimit limit = {};
    ::getrlimit(RLIMIT_AS, &limit);
    if (limit.rlim_cur != RLIM_INFINITY) GTEST_SKIP() << "the address space is limited here";
    EXPECT_FALSE(address_space_limit());
    EXPECT_FALSE(reserve_library_memory(1'000'000));
}

TEST(LibraryMemoryDeathTest, ThreadsWithoutRoomAreRefused)
{
    constexpr std::size_t kMiB = std::size_t{1} << 20U;
    const auto refuses = [](int threads) {
        try
        {
            return !reserve_library_memory(threads);
        }
        catch (const MemoryError& error)
        {
            return std::string(error.what()).find("ulimit -v") != std::string::npos;
        }
    };
    EXPECT_EXIT(
        {
            allow(2048 * kMiB);
            std::_Exit(!refuses(1) && refuses(100'000) && !refuses(1) ? 3 : 4);
        },
        testing::ExitedWithCode(3), "");
}

}  // namespace
}  // namespace flipstorm
