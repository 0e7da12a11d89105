// The note that a failed run leaves in the out folder.

#include "jobs/stages/last_error.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/base/durable_file.hpp"
#include "tests/unit/mpi/temporary_folder.hpp"

namespace flipstorm
{
namespace
{

LastError sample(const std::string& message, bool echo = false)
{
    return {"2023-04-17T09:30:00Z", "start1", 2, 4, "node17", "flipstorm run job.toml", message, echo};
}

TEST(LastError, SaysWhenWhereAndWhy)
{
    const test::TemporaryFolder out;
    leave_last_error(out.path(), sample("cannot write 'a': No space left\non device"));
    EXPECT_EQ(read_file(out.path() / kLastErrorFile),
              "time: 2023-04-17T09:30:00Z\nstart: start1\nrank: 2 of 4\nhost: node17\n"
              "command: flipstorm run job.toml\nmessage: cannot write 'a': No space left\non device\n");
    forget_last_error(out.path());
    EXPECT_FALSE(std::filesystem::exists(out.path() / kLastErrorFile));
    forget_last_error(out.path());
}

TEST(LastError, AnEchoDoesNotHideItsCause)
{
    const test::TemporaryFolder out;
    const auto file = [&] { return read_file(out.path() / kLastErrorFile); };
    leave_last_error(out.path(), sample("a rank is gone", true));
    EXPECT_NE(file().find("a rank is gone"), std::string::npos);
    leave_last_error(out.path(), sample("the cause"));
    leave_last_error(out.path(), sample("a rank is gone", true));
    EXPECT_NE(file().find("the cause"), std::string::npos);
    LastError next = sample("of the next start", true);
    next.start = "start2";
    leave_last_error(out.path(), next);
    EXPECT_NE(file().find("of the next start"), std::string::npos);
}

TEST(LastError, AFolderThatCannotBeWrittenIsNoSecondError)
{
    const test::TemporaryFolder out;
    leave_last_error(out.path() / "none", sample("lost"));
    EXPECT_FALSE(std::filesystem::exists(out.path() / "none"));
    forget_last_error(out.path() / "none");
}

}  // namespace
}  // namespace flipstorm
