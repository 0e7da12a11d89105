#include "engine/base/standard_output.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace flipstorm
{
namespace
{

/// In a child: standard output is `file`; print so many bytes. Ends with 3 if all is well, 4 if there is a
/// problem with the text, else 5.
[[noreturn]] void print_to(const char* file, std::size_t bytes, const std::string& text)
{
    std::signal(SIGPIPE, SIG_IGN);
    ::dup2(::open(file, O_WRONLY), STDOUT_FILENO);
    print_text(std::string(bytes, 'x'));
    const std::string problem = output_problem();
    std::_Exit(problem.empty() ? 3 : problem.find(text) != std::string::npos ? 4 : 5);
}

TEST(StandardOutputDeathTest, AFullDiskIsRemembered)
{
    EXPECT_EXIT(print_to("/dev/null", 100, ""), testing::ExitedWithCode(3), "");
    EXPECT_EXIT(print_to("/dev/full", 100, "standard output: No space left"), testing::ExitedWithCode(4), "");
    EXPECT_EXIT(print_to("/dev/full", 1'000'000, "standard output: No space left"),
                testing::ExitedWithCode(4), "");
    EXPECT_EXIT(print_to("/dev/full", 0, ""), testing::ExitedWithCode(3), "");
}

TEST(StandardOutputDeathTest, AClosedOneIsNoOtherFile)
{
    EXPECT_EXIT(
        {
            ::close(STDOUT_FILENO);
            ::close(STDERR_FILENO);
            occupy_standard_descriptors();
            const int file = ::open("/dev/null", O_WRONLY);
            print_text("for the user");
            const bool told = output_problem().find("Bad file descriptor") != std::string::npos;
            std::_Exit(file > STDERR_FILENO && told ? 3 : 4);
        },
        testing::ExitedWithCode(3), "");
}

TEST(StandardOutputDeathTest, AReaderThatIsGone)
{
    EXPECT_EXIT(
        {
            std::signal(SIGPIPE, SIG_IGN);
            int ends[2] = {};
            if (::pipe(ends) != 0) std::_Exit(5);
            ::close(ends[0]);
            ::dup2(ends[1], STDOUT_FILENO);
            print_result("{} lines\n", 7);
            std::_Exit(output_problem().find("Broken pipe") != std::string::npos ? 3 : 4);
        },
        testing::ExitedWithCode(3), "");
}

}  // namespace
}  // namespace flipstorm
