#include <gtest/gtest.h>

#include <string>

#include "engine/base/printable_text.hpp"

namespace flipstorm
{
namespace
{

using namespace std::string_literals;

TEST(PrintableText, LeavesTextAlone)
{
    const std::string text = "conv1.weight \\ Δw ≤ 0.5 µs 東京 \xF0\x9F\x98\x80";
    EXPECT_EQ(printable(text), text);
    EXPECT_EQ(printable(""), "");
}

TEST(PrintableText, EscapesControlCharacters)
{
    EXPECT_EQ(printable("\x1B]0;title\x07"), "\\x1b]0;title\\x07");
    EXPECT_EQ(printable("a\0b\x7F\r"s), "a\\x00b\\x7f\\x0d");
    // U+009B is a terminal's CSI in one character; U+00A0 is none.
    EXPECT_EQ(printable("\xC2\x9B"
                        "31m\xC2\xA0"),
              "\\xc2\\x9b31m\xC2\xA0");
}

TEST(PrintableText, KeepsLineBreaksOnlyInDocuments)
{
    EXPECT_EQ(printable("a\n\tb"), "a\\x0a\\x09b");
    EXPECT_EQ(printable("a\n\tb\x1B\r\n", TextLines::many), "a\n\tb\\x1b\\x0d\n");
}

TEST(PrintableText, EscapesWhatIsNotUtf8)
{
    EXPECT_EQ(printable("\x9B"
                        "31m"),
              "\\x9b31m");                                             // a continuation byte on its own
    EXPECT_EQ(printable("\xC3"), "\\xc3");                             // cut off
    EXPECT_EQ(printable("\xE2\x82x"), "\\xe2\\x82x");                  // cut off by another character
    EXPECT_EQ(printable("\xC0\x9B"), "\\xc0\\x9b");                    // overlong escape character
    EXPECT_EQ(printable("\xE0\x80\x9B"), "\\xe0\\x80\\x9b");           // the same, in three bytes
    EXPECT_EQ(printable("\xED\xA0\x80"), "\\xed\\xa0\\x80");           // a surrogate
    EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond U+10FFFF
    EXPECT_EQ(printable("\xFF\xFE"), "\\xff\\xfe");
}

TEST(PrintableText, KnowsTheFirstAndLastCharacterOfEachLength)
{
    for (const std::string& character :
         {"\xC2\xA0"s, "\xDF\xBF"s, "\xE0\xA0\x80"s, "\xED\x9F\xBF"s, "\xEE\x80\x80"s, "\xEF\xBF\xBF"s,
          "\xF0\x90\x80\x80"s, "\xF4\x8F\xBF\xBF"s})
    {
        EXPECT_EQ(utf8_length(character, 0), character.size());
        EXPECT_EQ(printable(character), character);
    }
    EXPECT_EQ(utf8_length("a", 1), 0U);
}

}  // namespace
}  // namespace flipstorm
