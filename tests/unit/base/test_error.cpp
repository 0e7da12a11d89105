#include <gtest/gtest.h>

#include "engine/base/error.hpp"
#include "engine/base/timing.hpp"

namespace flipstorm
{
namespace
{

TEST(Error, KindsHaveTheirExitCodes)
{
    EXPECT_EQ(Error("x").exit_code(), ExitCode::internal);
    EXPECT_EQ(JobError("x").exit_code(), ExitCode::usage);
    EXPECT_EQ(DataError("x").exit_code(), ExitCode::data);
    EXPECT_EQ(FileError("x").exit_code(), ExitCode::io);
    EXPECT_EQ(MpiError("x").exit_code(), ExitCode::internal);
    EXPECT_EQ(static_cast<int>(ExitCode::stopped), 75);
}

TEST(Error, CheckFormatsOnlyWhenItFails)
{
    EXPECT_NO_THROW(FS_REQUIRE(1 + 1 == 2, "never"));
    try
    {
        FS_CHECK(DataError, false, "{} of {}", 3, "four");
        FAIL();
    }
    catch (const DataError& error)
    {
        EXPECT_STREQ(error.what(), "3 of four");
    }
}

TEST(Timing, WritesUtc)
{
    EXPECT_EQ(utc_timestamp(0), "1970-01-01T00:00:00Z");
    EXPECT_EQ(utc_timestamp(1681723800), "2023-04-17T09:30:00Z");
}

}  // namespace
}  // namespace flipstorm
