// Segments that are torn, flipped, of others, or hostile: no damage is ever taken for data.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <string_view>

#include "engine/base/durable_file.hpp"
#include "engine/base/framed_bytes.hpp"
#include "mpi/journal.hpp"
#include "tests/unit/mpi/journal_fixture.hpp"

namespace flipstorm
{
namespace
{

using namespace test;
using DamagedJournal = JournalFixture;

TEST_F(DamagedJournal, TruncatedAtEveryLength)
{
    write("start", kEntries);
    const fs::path name = files()[0];
    const std::string whole = read_file(name);
    for (std::size_t length = 0; length < whole.size(); ++length)
    {
        SCOPED_TRACE(length);
        std::ofstream(name, std::ios::binary).write(whole.data(), static_cast<std::streamsize>(length));
        expect_dropped(name, length == 0 ? "it is empty" : "it is torn");
    }
    std::ofstream(name, std::ios::binary) << whole << '\0';
    expect_dropped(name, "it is torn");
}

TEST_F(DamagedJournal, EveryByteFlipped)
{
    write("start", kEntries);
    const fs::path name = files()[0];
    const std::string whole = read_file(name);
    for (std::size_t position = 0; position < whole.size(); ++position)
    {
        SCOPED_TRACE(position);
        const std::string reason = position < 8    ? "wrong magic"
                                   : position < 12 ? "format version"
                                   : position < 20 ? "it is torn"
                                                   : "CRC-32";
        std::string damaged = whole;
        damaged[position] = static_cast<char>(~damaged[position]);
        std::ofstream(name, std::ios::binary) << damaged;
        expect_dropped(name, reason);
    }
}

TEST_F(DamagedJournal, DamageCostsOnlyItsSegment)
{
    write("start1", {kEntries[0]});
    write("start2", {kEntries[1]});
    write("start3", {kEntries[2]});
    fs::resize_file(files()[1], 30);
    const JournalContent content = read();
    EXPECT_EQ(content.entries, (Entries{kEntries[0], kEntries[2]}));
    EXPECT_EQ(content.segments, 2U);
    EXPECT_EQ(content.dropped, 1U);
}

TEST_F(DamagedJournal, ForeignAndOtherVersions)
{
    make_folder(folder());
    const fs::path name = folder() / "start.segment";
    std::ofstream(name) << "This text is none of ours, though it has the name of a segment.\n";
    expect_dropped(name, "wrong magic");

    fs::remove(name);
    write("start", kEntries);
    const fs::path segment = files()[0];
    std::string other = read_file(segment);
    ASSERT_EQ(other[8], 3);
    other[8] = 1;
    std::ofstream(segment, std::ios::binary) << other;
    expect_dropped(segment, "format version 1, this program reads 2 to 3");
    other[8] = 4;
    std::ofstream(segment, std::ios::binary) << other;
    expect_dropped(segment, "format version 4, this program reads 2 to 3");
}

TEST_F(DamagedJournal, AnArchiveThatLiesBehindAValidCrcIsDropped)
{
    // The CRC-32 of four bytes 'ABCD' is db1720a5: a whole file as to its header, but not an archive.
    make_folder(folder());
    const fs::path name = folder() / "start.segment";
    std::string file(
        "\x89"
        "FSJ\r\n\x1a\n\2\0\0\0\4\0\0\0\0\0\0\0\xa5\x20\x17\xdb"
        "ABCD",
        28);
    std::ofstream(name, std::ios::binary) << file;
    expect_dropped(name, "its archive cannot be read");
}

TEST_F(DamagedJournal, LengthsBehindAValidCrcAreNotBelieved)
{
    write("start", kEntries);
    const fs::path name = files()[0];
    const Frame frame{std::string_view("\x89"
                                       "FSJ\r\n\x1a\n",
                                       8),
                      kJournalFormat, "a journal segment"};
    const std::string payload(payload_of(frame, read_file(name)));
    std::size_t refused = 0;
    for (std::size_t place = 0; place + 8 <= payload.size(); ++place)
    {
        // 16 TiB, if it is taken for a length.
        std::string hostile = payload;
        hostile.replace(place, 8, std::string("\0\0\0\0\0\x10\0\0", 8));
        std::ofstream(name, std::ios::binary) << framed(frame, hostile);
        const JournalSurvey survey = survey_journal(folder());
        ASSERT_EQ(survey.segments.size() + survey.damaged.size(), 1U) << place;
        refused += survey.damaged.size();
    }
    EXPECT_GT(refused, 40U);  // the signature of the archive alone has 22 bytes
    std::ofstream(name, std::ios::binary) << framed(frame, payload + '\0');
    expect_dropped(name, "followed by 1 bytes");
}

TEST_F(DamagedJournal, APipeIsDroppedAtOnce)
{
    make_folder(folder());
    const fs::path name = folder() / "pipe.segment";
    ASSERT_EQ(::mkfifo(name.c_str(), 0600), 0);
    expect_dropped(name, "it is a pipe");
}

TEST_F(DamagedJournal, UnreadableSegmentsAreDropped)
{
    make_folder(folder());
    const fs::path name = folder() / "folder.segment";
    fs::create_directory(name);
    expect_dropped(name, "it is a folder");
    fs::remove(name);
    fs::create_symlink("nowhere", folder() / "dangling.segment");
    expect_dropped(folder() / "dangling.segment", "No such file");
}

}  // namespace
}  // namespace flipstorm
