// The journal of one rank: what is written comes back, whatever keeps it from being written.

#include "mpi/journal.hpp"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/temporary_file.hpp"
#include "tests/unit/mpi/journal_fixture.hpp"

namespace flipstorm
{
namespace
{

using namespace test;
using Journal = JournalFixture;

TEST_F(Journal, WhatIsWrittenComesBack)
{
    write("start", kEntries);
    ASSERT_EQ(files().size(), 1U);
    EXPECT_EQ(files()[0].filename(), "start-r00000-00000000.segment");
    const JournalContent content = read();
    EXPECT_EQ(content.entries, kEntries);
    EXPECT_EQ(content.segments, 1U);
    EXPECT_EQ(content.dropped, 0U);
    EXPECT_EQ(warnings_, "");
}

TEST_F(Journal, LargeEntriesComeBack)
{
    const Entries large{{ChunkId(0), std::string(40'000'000, 'x')}, {ChunkId(1), "y"}};
    write("start", large);
    EXPECT_EQ(read().entries, large);
}

TEST_F(Journal, NoFolderIsAnEmptyJournal)
{
    const JournalContent content = read();
    EXPECT_TRUE(content.entries.empty());
    EXPECT_EQ(warnings_, "");
    std::ofstream(folder()).put('\n');
    EXPECT_THROW(read(), FileError);
}

TEST_F(Journal, FlushesByAgeAndBySize)
{
    auto journal = writer("start", {5, 100});
    journal.append({ChunkId(0), "a"});
    now_ += 4.5;
    journal.append({ChunkId(1), "b"});
    EXPECT_EQ(files().size(), 0U);
    EXPECT_DOUBLE_EQ(journal.seconds_since_segment(), 4.5);
    now_ += 0.5;
    journal.append({ChunkId(2), "c"});
    EXPECT_EQ(files().size(), 1U);
    EXPECT_DOUBLE_EQ(journal.seconds_since_segment(), 0);

    journal.append({ChunkId(3), std::string(99, 'd')});
    EXPECT_EQ(files().size(), 1U);
    journal.append({ChunkId(4), "e"});
    EXPECT_EQ(files().size(), 2U);

    journal.flush();  // nothing to write
    EXPECT_EQ(files().size(), 2U);
    EXPECT_EQ(read().entries.size(), 5U);
}

TEST_F(Journal, TheDestructorWritesWhatIsLeft)
{
    writer("start").append(kEntries[0]);
    EXPECT_EQ(read().entries, Entries{kEntries[0]});
}

TEST_F(Journal, SharesTheSegmentsAmongRanks)
{
    for (int i = 0; i < 7; ++i)
        write("start" + std::to_string(i), {{ChunkId(static_cast<std::uint64_t>(i)), "x"}});
    std::vector<int> times_read(7);
    for (int rank = 0; rank < 3; ++rank)
    {
        const JournalContent content = read(rank, 3);
        EXPECT_EQ(content.segments, rank == 0 ? 3U : 2U);
        for (const JournalEntry& entry : content.entries)
            ++times_read[entry.chunk.value()];
    }
    EXPECT_EQ(times_read, std::vector<int>(7, 1));
}

TEST_F(Journal, OfAChunkFoundTwiceAtOneLevelTheFirstCounts)
{
    write("start1", {{ChunkId(1), "first"}, {ChunkId(1), "again"}});
    write("start2", {{ChunkId(1), "later"}, {ChunkId(2), "new"}});
    EXPECT_EQ(read().entries, (Entries{{ChunkId(1), "first"}, {ChunkId(2), "new"}}));

    write("start3", {{ChunkId(1), "more carefully", 1}});
    EXPECT_EQ(read().entries,
              (Entries{{ChunkId(1), "first"}, {ChunkId(2), "new"}, {ChunkId(1), "more carefully", 1}}));

    fs::copy_file(files()[0], folder() / "zzz.segment");
    const JournalContent content = read();
    EXPECT_EQ(content.entries.size(), 3U);
    EXPECT_EQ(content.segments, 4U);
    EXPECT_EQ(warnings_, "");
}

TEST_F(Journal, AJournalOfAnotherJobIsAnError)
{
    write("start", kEntries);
    try
    {
        (void)read_journal(folder(), std::string(64, 'b'), 0, 1);
        FAIL() << "nothing thrown";
    }
    catch (const JobError& error)
    {
        const std::string message = error.what();
        EXPECT_NE(message.find("--fresh"), std::string::npos) << message;
        EXPECT_NE(message.find("--out"), std::string::npos) << message;
        EXPECT_NE(message.find(files()[0].string()), std::string::npos) << message;
    }
}

TEST_F(Journal, EntriesSayOfWhichFormatTheyAreAndTheNewestCounts)
{
    const auto age = [this](std::size_t segment) {
        std::string content = read_file(files()[segment]);
        content[8] = 2;
        std::ofstream(files()[segment], std::ios::binary) << content;
    };
    write("start1", {{ChunkId(1), "old"}, {ChunkId(2), "old"}});
    age(0);
    write("start2", {{ChunkId(2), "new"}, {ChunkId(3), "new"}});
    write("start3", {{ChunkId(2), "newer"}, {ChunkId(3), "newer"}});
    const JournalContent content = read();
    ASSERT_EQ(content.entries.size(), 3U);
    EXPECT_EQ(content.dropped, 0U);
    const std::vector<std::pair<std::string, std::uint32_t>> want{{"old", 2}, {"new", 3}, {"new", 3}};
    for (std::size_t i = 0; i < want.size(); ++i)
    {
        EXPECT_EQ(content.entries[i].chunk, ChunkId(i + 1));
        EXPECT_EQ(content.entries[i].bytes, want[i].first);
        EXPECT_EQ(content.entries[i].format, want[i].second);
    }
    EXPECT_EQ(survey_journal(folder()).segments[0].entries[1].format, 2U);
    EXPECT_EQ(survey_journal(folder()).segments[1].entries[0].format, 3U);
}

TEST_F(Journal, EntriesThatTheStageCannotUseAreLeftOut)
{
    write("start1", kEntries);
    write("start2", {{kEntries[0].chunk, "better", kEntries[0].level}});
    testing::internal::CaptureStderr();
    const JournalContent content =
        read_journal(folder(), kDigest, 0, 1, [](const JournalEntry& entry) -> std::string {
            return entry.bytes == kEntries[0].bytes ? "no record of ours" : "";
        });
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(content.entries.size(), kEntries.size());
    EXPECT_EQ(content.entries.back().bytes, "better") << "the next one of that chunk counts";
    EXPECT_EQ(content.unusable, 1U);
    EXPECT_EQ(content.segments, 2U);
    EXPECT_NE(said.find("start1"), std::string::npos) << said;
    EXPECT_NE(said.find("computed again: no record of ours"), std::string::npos) << said;
}

TEST_F(Journal, LeftoversAndOtherFilesAreIgnored)
{
    write("start", kEntries);
    std::ofstream(create_temporary(files()[0])) << "half";
    std::ofstream(folder() / "start-r00000-00000009.segment.tmp") << "half";
    std::ofstream(folder() / "notes.txt") << "mine";
    EXPECT_EQ(read().entries, kEntries);
    EXPECT_EQ(warnings_, "");
}

TEST_F(Journal, UnfinishedSegmentsAreRemoved)
{
    EXPECT_NO_THROW(remove_unfinished_segments(folder()));
    write("start", kEntries);
    std::ofstream(create_temporary(files()[0])) << "half";
    std::ofstream(folder() / ".start-r00000-00000009.segment.tmp") << "half";  // of an older version
    std::ofstream(folder() / "notes.tmp") << "mine";
    ASSERT_EQ(files().size(), 4U);
    remove_unfinished_segments(folder());
    EXPECT_EQ(files().size(), 2U);
    EXPECT_TRUE(fs::exists(folder() / "notes.tmp"));
    EXPECT_EQ(read().entries, kEntries);
}

TEST_F(Journal, RemoveTakesSegmentsAndLeftoversOnly)
{
    EXPECT_NO_THROW(remove_journal(folder()));
    write("start", kEntries);
    std::ofstream(create_temporary(files()[0])) << "half";
    std::ofstream(folder() / "notes.txt") << "mine";
    remove_journal(folder());
    ASSERT_EQ(files().size(), 1U);
    EXPECT_EQ(files()[0].filename(), "notes.txt");
    fs::remove(files()[0]);
    remove_journal(folder());
    EXPECT_FALSE(fs::exists(folder()));
}

TEST_F(Journal, AgreesOnWhatIsDone)
{
    const Entries entries{{ChunkId(2), "a"}, {ChunkId(0), "b"}, {ChunkId(2), "c", 1}};
    JournalContent content{entries, 1, 0};
    const std::vector<std::uint8_t> done = agree_on_done(Communicator(), content, 3, 2);
    EXPECT_EQ(done, (std::vector<std::uint8_t>{1, 0, 1, 0, 0, 1}));
    EXPECT_EQ(content.entries, entries);
    EXPECT_THROW((void)agree_on_done(Communicator(), content, 2, 2), FileError);
    EXPECT_THROW((void)agree_on_done(Communicator(), content, 3, 1), FileError);
}

TEST_F(Journal, StartIdsDiffer)
{
    const std::string id = new_start_id(Communicator());
    EXPECT_EQ(id.size(), std::strlen("20230417T093000Z-0123456789abcdef"));
    EXPECT_NE(id, new_start_id(Communicator()));
}

TEST_F(Journal, AMissingFolderIsAnErrorThatNamesTheFile)
{
    {
        auto journal = writer("start");
        journal.append(kEntries[0]);
        fs::remove(folder());
        EXPECT_THROW(journal.flush(), FileError);
        testing::internal::CaptureStderr();
    }
    EXPECT_NE(testing::internal::GetCapturedStderr().find("will be computed again"), std::string::npos);
    std::ofstream(folder()).put('\n');
    EXPECT_THROW(writer("start"), FileError);
}

/// Whatever keeps a segment from being written: the error says so, nothing half-written stays, earlier
/// segments are whole, and the entries are written once there is room.
template<class MakeRoom>
void expect_survives_full_disk(JournalWriter& journal, const fs::path& folder, const std::string& reason,
                               MakeRoom make_room)
{
    journal.append({ChunkId(0), "small"});
    journal.flush();
    journal.append({ChunkId(1), std::string(500'000, 'x')});
    try
    {
        journal.flush();
        ADD_FAILURE() << "nothing thrown";
    }
    catch (const FileError& error)
    {
        const std::string message = error.what();
        EXPECT_NE(message.find("r00000-00000001.segment"), std::string::npos) << message;
        EXPECT_NE(message.find(reason), std::string::npos) << message;
    }
    EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
    EXPECT_EQ(read_journal(folder, kDigest, 0, 1).entries, (Entries{{ChunkId(0), "small"}}));
    make_room();
    journal.flush();
    EXPECT_EQ(read_journal(folder, kDigest, 0, 1).entries.size(), 2U);
}

TEST_F(Journal, SurvivesALimitOfTheFileSize)
{
    auto journal = writer("start");
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit old_limit = {};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
    struct rlimit limit = old_limit;
    limit.rlim_cur = 100'000;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    expect_survives_full_disk(journal, folder(), "File too large",
                              [&] { setrlimit(RLIMIT_FSIZE, &old_limit); });
    std::signal(SIGXFSZ, old_handler);
}

TEST_F(Journal, SurvivesAFullDisk)
{
    make_folder(folder());
    if (::mount("tmpfs", folder().c_str(), "tmpfs", 0, "size=128k") != 0)
    {
        GTEST_SKIP() << "no small file system to fill: mount: " << std::strerror(errno);
    }
    {
        auto journal = writer("start");
        expect_survives_full_disk(journal, folder(), "No space left on device", [&] {
            EXPECT_EQ(::mount("tmpfs", folder().c_str(), "tmpfs", MS_REMOUNT, "size=4m"), 0)
                << std::strerror(errno);
        });
    }
    EXPECT_EQ(::umount(folder().c_str()), 0) << std::strerror(errno);
}

TEST_F(Journal, SurvivesAReadOnlyFileSystem)
{
    make_folder(folder());
    if (::mount("tmpfs", folder().c_str(), "tmpfs", 0, "size=4m") != 0)
    {
        GTEST_SKIP() << "no file system to make read-only: mount: " << std::strerror(errno);
    }
    {
        auto journal = writer("start");
        journal.append(kEntries[0]);
        EXPECT_EQ(::mount("tmpfs", folder().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr), 0);
        EXPECT_THROW(journal.flush(), FileError);
        EXPECT_EQ(::mount("tmpfs", folder().c_str(), "tmpfs", MS_REMOUNT, nullptr), 0);
        journal.flush();
        EXPECT_EQ(read().entries, Entries{kEntries[0]});
    }
    EXPECT_EQ(::umount(folder().c_str()), 0) << std::strerror(errno);
}

}  // namespace
}  // namespace flipstorm
