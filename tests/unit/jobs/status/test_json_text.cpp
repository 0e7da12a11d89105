#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "jobs/status/json_text.hpp"

namespace flipstorm
{
namespace
{

TEST(JsonText, IsUtf8WhateverTheBytes)
{
    EXPECT_EQ(json(std::string("a\"b\\c")), R"("a\"b\\c")");
    EXPECT_EQ(json(std::string("ü €")), "\"ü €\"");
    EXPECT_EQ(json(std::string("\x1b[\n\x7f", 4)), "\"\\u001b[\\u000a\\u007f\"");
    EXPECT_EQ(json(std::string("a\0b", 3)), "\"a\\u0000b\"");
    EXPECT_EQ(json(std::string("u\xff")), "\"u\xEF\xBF\xBD\"");
    EXPECT_EQ(json(std::string("\xc3(")), "\"\xEF\xBF\xBD(\"");
    EXPECT_EQ(json(std::string("\xed\xa0\x80")), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"") << "a surrogate";
    EXPECT_EQ(json_object({{"\xff", json(std::uint64_t{1})}}), "{\"\xEF\xBF\xBD\": 1}");
    EXPECT_EQ(json(std::numeric_limits<double>::infinity()), "null");
}

}  // namespace
}  // namespace flipstorm
