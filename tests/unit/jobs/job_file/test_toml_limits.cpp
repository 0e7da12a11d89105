#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "jobs/job_file/toml_limits.hpp"

namespace flipstorm
{
namespace
{

constexpr TomlLimits kSmall{100, 3, 10, 5, 4};

/// "LINE: REASON", empty if the text keeps the limits.
std::string excess(const std::string& text)
{
    const auto found = toml_excess(text, kSmall);
    return found ? fmt::format("{}: {}", found->line, found->reason) : "";
}

TEST(TomlLimits, OrdinaryTextsKeepThem)
{
    EXPECT_EQ(excess(""), "");
    EXPECT_EQ(excess("[a.b]\nx = [1, 2, [3, [4]]] # [[[[[[\ny = \"[[[[ . . . . . #\"\nz = 1.5\n"), "");
    EXPECT_EQ(excess("x = [\n 1,\n 2,\n 3,\n 4\n]\n"), "");
    EXPECT_EQ(excess("a.b.c = {d = 1, e = 1979-05-27T07:32:00.999Z}\n"), "");
    EXPECT_EQ(excess("x = '''\n" + std::string(500, 'x') + "\n'''\n"), "");
    EXPECT_EQ(toml_excess("x = [" + std::string(3000, ' ') + "0.01]\n"), std::nullopt);
}

TEST(TomlLimits, NestingIsBounded)
{
    EXPECT_EQ(excess("\nx = [[[[1]]]]\n"), "2: lists and tables are nested more than 3 deep");
    EXPECT_NE(excess("x = {a = {b = {c = {d = 1}}}}\n").find("1: lists and tables"), std::string::npos);
    EXPECT_NE(excess("a.a.a.a.a = 1\n").find("nested"), std::string::npos);
    EXPECT_NE(excess("[a.a.a.a.a]\n").find("nested"), std::string::npos);
    EXPECT_NE(excess("[ \"a\" . 'a' . a . a ]\n").find("nested"), std::string::npos);
    EXPECT_NE(toml_excess("x = " + std::string(7000, '[') + std::string(7000, ']')), std::nullopt);
}

TEST(TomlLimits, LengthsAreBounded)
{
    EXPECT_EQ(excess("a = 1\n#" + std::string(100, ' ') + "\n"),
              "2: the line has more than 100 bytes; lists may go over several lines");
    EXPECT_EQ(excess(std::string(11, 'k') + " = 1\n"), "1: a key has more than 10 bytes");
    EXPECT_NE(excess("\"" + std::string(11, 'k') + "\" = 1\n").find("a key"), std::string::npos);
    EXPECT_NE(excess("x = {" + std::string(11, 'k') + " = 1}\n").find("a key"), std::string::npos);
    EXPECT_EQ(excess("x = [1, 2, 3, 4, 5]\n"), "1: a list has more than 4 elements");
    EXPECT_EQ(excess("a=1\nb=1\nc=1\nd=1\ne=1\nf=1\n"), "6: there are more than 5 keys");
}

TEST(TomlLimits, StringsOfAllFourKindsAreNotStructure)
{
    for (const std::string& text :
         {std::string("x = \"\\\"[[[[\"\n"), std::string("x = '[[[[\\'\n"),
          std::string("x = \"\"\"[[\"[[\n[[\\\"\"\"\"\n"), std::string("x = '''[['[[\n[['''\n")})
    {
        EXPECT_EQ(excess(text), "") << text;
        EXPECT_NE(excess(text + "y = [[[[1]]]]\n"), "") << text;
    }
    // One that does not end hides the rest of its line, or of the text; the parser then says so.
    EXPECT_EQ(excess("x = \"[[[[\n"), "");
    EXPECT_NE(excess("x = \"[[[[\ny = [[[[1]]]]\n"), "");
    EXPECT_EQ(excess("x = '''[[[[\ny = [[[[1]]]]\n"), "");
}

}  // namespace
}  // namespace flipstorm
