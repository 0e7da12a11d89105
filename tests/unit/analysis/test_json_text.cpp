#include "analysis/json_text.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace flipstorm
{
namespace
{

TEST(JsonText, IsUtf8WhateverTheBytes)
{
    EXPECT_EQ(json_text("a\"b\\c"), "\"a\\\"b\\\\c\"\n");
    EXPECT_EQ(json_text("ü €"), "\"ü €\"\n");
    EXPECT_EQ(json_text("\x1b[\n"), "\"\\u001b[\\n\"\n");
    EXPECT_EQ(json_text(std::string("a\0b", 3)), "\"a\\u0000b\"\n");
    EXPECT_EQ(json_text("u\xff"), "\"u\xEF\xBF\xBD\"\n");
    EXPECT_EQ(json_text("\xc3("), "\"\xEF\xBF\xBD(\"\n");
    for (const char* const bytes : {"\xed\xa0\x80", "\xf8", "\xe2\x82", "\xc0\xaf"})
    {
        const std::string text = json_text({{bytes, bytes}});
        EXPECT_TRUE(Json::accept(text)) << text;
        EXPECT_NE(text.find("\xEF\xBF\xBD"), std::string::npos) << text;
    }
}

TEST(JsonText, KeepsTheOrderOfKeysAndHasNoNumbersThatAreNone)
{
    EXPECT_EQ(json_text({{"z", 1}, {"a", std::numeric_limits<double>::infinity()}}),
              "{\n  \"z\": 1,\n  \"a\": null\n}\n");
    EXPECT_EQ(Json::parse(json_text(0.1)).get<double>(), 0.1);
    constexpr auto kLargest = std::numeric_limits<std::uint64_t>::max();
    EXPECT_EQ(Json::parse(json_text(kLargest)).get<std::uint64_t>(), kLargest);
}

}  // namespace
}  // namespace flipstorm
