#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "jobs/job_file/job_text.hpp"

namespace flipstorm
{
namespace
{

TEST(FirstBadByte, AcceptsUtf8Only)
{
    EXPECT_EQ(first_bad_byte(""), std::nullopt);
    EXPECT_EQ(first_bad_byte("a\tb\r\n"), std::nullopt);
    EXPECT_EQ(first_bad_byte("ü €  𝄞"), std::nullopt);
    EXPECT_EQ(first_bad_byte("ab\x01"), 2U);
    EXPECT_EQ(first_bad_byte("ab\x7f"), 2U);
    EXPECT_EQ(first_bad_byte("ab\xff"), 2U);
    EXPECT_EQ(first_bad_byte("a\xc3"), 1U);             // cut short
    EXPECT_EQ(first_bad_byte("a\xc3(b"), 1U);           // no continuation
    EXPECT_EQ(first_bad_byte("\xc0\xaf"), 0U);          // overlong
    EXPECT_EQ(first_bad_byte("\xf5\x80\x80\x80"), 0U);  // beyond Unicode
    EXPECT_EQ(first_bad_byte(std::string("a\0", 2)), 1U);
}

TEST(LineOf, CountsFromOneAndTrims)
{
    EXPECT_EQ(line_of("a\n  b \r\nc", 2), "b");
    EXPECT_EQ(line_of("a\n\nc", 2), "");
    EXPECT_EQ(line_of("a\n\nc", 3), "c");
    EXPECT_EQ(line_of("a\n", 3), "");
}

TEST(ReadSyntaxMessage, TheLastMarkIsThePlace)
{
    const SyntaxProblem problem = read_syntax_message(
        "[error] toml::parse_array: missing array separator `,` after a value\n --> f\n    |\n 19 | a = [1\n"
        "    |     ^--- array starts here\n ...\n 20 |  2]\n    |  ^--- should be `,`\n");
    EXPECT_EQ(problem.line, 20U);
    EXPECT_EQ(problem.column, 2U);
    EXPECT_EQ(problem.reason, "missing array separator `,` after a value: should be `,`");
}

TEST(ReadSyntaxMessage, WithoutAMarkThePlaceIsUnknown)
{
    const SyntaxProblem problem = read_syntax_message("something else.");
    EXPECT_EQ(problem.line, 0U);
    EXPECT_EQ(problem.reason, "something else");
}

}  // namespace
}  // namespace flipstorm
