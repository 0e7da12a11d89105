#include <gtest/gtest.h>

#include <string>

#include "engine/base/framed_bytes.hpp"

namespace flipstorm
{
namespace
{

constexpr Frame kFrame{"\x89TEST\r\n\n", 3, "a test"};

std::string refusal(const std::string& file)
{
    try
    {
        static_cast<void>(payload_of(kFrame, file));
    }
    catch (const FrameError& error)
    {
        return error.what();
    }
    return "not refused";
}

TEST(FramedBytes, LayOut)
{
    // CRC-32 of "123456789" is cbf43926, the check value of its definition.
    const std::string want = std::string("\x89TEST\r\n\n", 8) + std::string("\3\0\0\0", 4) +
                             std::string("\x9\0\0\0\0\0\0\0", 8) + "\x26\x39\xf4\xcb" + "123456789";
    EXPECT_EQ(framed(kFrame, "123456789"), want);
    EXPECT_EQ(payload_of(kFrame, want), "123456789");
    EXPECT_EQ(payload_of(kFrame, framed(kFrame, "")), "");
}

TEST(FramedBytes, SayWhatIsWrong)
{
    const std::string whole = framed(kFrame, "payload");
    for (std::size_t length = 0; length < whole.size(); ++length)
        EXPECT_EQ(refusal(whole.substr(0, length)).substr(0, 10), length == 0 ? "it is empt" : "it is torn");
    EXPECT_EQ(refusal(whole + "x").substr(0, 10), "it is torn");
    const auto with = [&](std::size_t place) {
        std::string flipped = whole;
        flipped[place] = static_cast<char>(flipped[place] ^ 1);
        return refusal(flipped);
    };
    EXPECT_EQ(with(0), "it is not a test (wrong magic)");
    EXPECT_EQ(with(8), "it has format version 2, this program reads 3");
    EXPECT_EQ(with(12), "it is torn: 7 bytes of content, 6 expected");
    EXPECT_EQ(with(20).substr(0, 13), "it is damaged");
    EXPECT_EQ(with(30).substr(0, 13), "it is damaged");
}

TEST(FramedBytes, EarlierVersionsAreReadWhereTheKindSaysSo)
{
    Frame kind = kFrame;
    kind.oldest = 2;
    const auto at = [](std::uint32_t version) {
        return framed({kFrame.magic, version, kFrame.name}, "payload");
    };
    for (const std::uint32_t version : {2U, 3U})
    {
        EXPECT_EQ(payload_of(kind, at(version)), "payload");
        EXPECT_EQ(version_of(at(version)), version);
    }
    for (const std::uint32_t version : {1U, 4U})
    {
        try
        {
            static_cast<void>(payload_of(kind, at(version)));
            ADD_FAILURE() << "version " << version << " is read";
        }
        catch (const FrameError& error)
        {
            EXPECT_EQ(std::string(error.what()),
                      "it has format version " + std::to_string(version) + ", this program reads 2 to 3");
        }
    }
}

}  // namespace
}  // namespace flipstorm
