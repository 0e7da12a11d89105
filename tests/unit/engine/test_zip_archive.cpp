// Zip archives by hand: whole ones give back what is in them, others are refused with the reason.

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/network/import/torchscript/zip_archive.hpp"

namespace flipstorm
{
namespace
{

std::string number(std::uint64_t value, int bytes)
{
    std::string text;
    for (int i = 0; i < bytes; ++i)
        text += i < 8 ? static_cast<char>((value >> (8 * i)) & 0xffU) : '\0';
    return text;
}

std::string deflated(const std::string& content)
{
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    std::string packed(deflateBound(&stream, content.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

struct Member
{
    std::string name;
    std::string content;
    bool packed = false;
    std::uint64_t claimed = 0;  ///< size in the directory; 0: the true one
};

/// An archive; `large` adds the second directory end of large archives, with that many members in it.
std::string archive(const std::vector<Member>& members, int large = -1)
{
    std::string file;
    std::string directory;
    for (const Member& member : members)
    {
        const std::string stored = member.packed ? deflated(member.content) : member.content;
        const auto crc = crc32(0, reinterpret_cast<const Bytef*>(member.content.data()),
                               static_cast<uInt>(member.content.size()));
        const std::uint64_t size = member.claimed != 0 ? member.claimed : member.content.size();
        const std::string common = number(0, 2) + number(member.packed ? 8 : 0, 2) + number(0, 4) +
                                   number(crc, 4) + number(stored.size(), 4) + number(size, 4) +
                                   number(member.name.size(), 2) + number(0, 2);
        directory += "PK\x01\x02" + number(20, 2) + number(20, 2) + common + number(0, 10) +
                     number(file.size(), 4) + member.name;
        file += "PK\x03\x04" + number(20, 2) + common + member.name + stored;
    }
    const std::size_t begin = file.size();
    file += directory;
    if (large >= 0)
    {
        const std::size_t end = file.size();
        file += "PK\x06\x06" + number(44, 8) + number(0, 12) + number(static_cast<std::uint64_t>(large), 8) +
                number(static_cast<std::uint64_t>(large), 8) + number(directory.size(), 8) + number(begin, 8);
        file += "PK\x06\x07" + number(0, 4) + number(end, 8) + number(1, 4);
    }
    return file + "PK\x05\x06" + number(0, 4) + number(members.size(), 2) + number(members.size(), 2) +
           number(directory.size(), 4) + number(begin, 4) + number(0, 2);
}

std::string refusal(const std::string& content)
{
    try
    {
        check_zip_archive(content, "f.pt");
    }
    catch (const FileError& error)
    {
        return error.what();
    }
    return "not refused";
}

const std::string kText(1000, 'x');

TEST(ZipArchive, GivesBackWhatIsInIt)
{
    for (const int large : {-1, 2})
    {
        const std::string content = archive({{"a/one", "1"}, {"a/two", kText, true}}, large);
        const std::vector<ZipMember> members = check_zip_archive(content, "f.pt");
        ASSERT_EQ(members.size(), 2U);
        EXPECT_EQ(members[0].name, "a/one");
        EXPECT_EQ(unpacked(members[0], 10, "f.pt"), "1");
        EXPECT_EQ(members[1].size, kText.size());
        EXPECT_EQ(unpacked(members[1], 1000, "f.pt"), kText);
        EXPECT_THROW(static_cast<void>(unpacked(members[1], 999, "f.pt")), FileError);
    }
}

TEST(ZipArchive, SizesAreHeldAgainstTheContent)
{
    EXPECT_NE(refusal(archive({{"a/one", "1", false, 2}})).find("'a/one'"), std::string::npos);
    EXPECT_NE(refusal(archive({{"a/two", kText, true, 999}})).find("checksum"), std::string::npos);
    EXPECT_NE(refusal(archive({{"a/two", kText, true, 1001}})).find("checksum"), std::string::npos);
    EXPECT_NE(refusal(archive({{"a/two", kText, true, 0xffffffffU}})).find("4 GiB"), std::string::npos);
    EXPECT_NE(refusal(archive({{"a/1", kText, true, 0xf0000000U},
                               {"a/2", kText, true, 0xf0000000U},
                               {"a/3", kText, true, 0xf0000000U}}))
                  .find("checksum"),
              std::string::npos);
}

TEST(ZipArchive, TwoReadersSeeTheSame)
{
    EXPECT_NE(refusal(archive({{"a/data/0", "1"}, {"a/data/0", "2"}})).find("twice"), std::string::npos);
    EXPECT_NE(refusal(archive({{"a/data.pkl", "1"}, {"a/DATA.pkl", "2"}})).find("twice"), std::string::npos);
    EXPECT_EQ(refusal(archive({{"a/code/Net.py", "1"}, {"a/code/net.py", "2"}})), "not refused");
    EXPECT_NE(refusal(archive({{"a/one", "1"}, {"a/two", "2"}}, 1)).find("disagree"), std::string::npos);
}

TEST(ZipArchive, EveryTruncationIsSeen)
{
    const std::string whole = archive({{"a/one", "1"}, {"a/two", kText, true}}, 2);
    for (std::size_t length = 0; length < whole.size(); ++length)
        EXPECT_NE(refusal(whole.substr(0, length)), "not refused") << length;
}

}  // namespace
}  // namespace flipstorm
