#pragma once
// A journal for tests: written, read, and what is said meanwhile.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "mpi/journal.hpp"
#include "tests/unit/mpi/temporary_folder.hpp"

namespace flipstorm
{

inline bool operator==(const JournalEntry& a, const JournalEntry& b)
{
    return a.chunk == b.chunk && a.bytes == b.bytes && a.level == b.level;
}

namespace test
{

namespace fs = std::filesystem;
using Entries = std::vector<JournalEntry>;

inline const std::string kDigest(64, 'a');
inline const Entries kEntries{
    {ChunkId(7), "outcomes"}, {ChunkId(3), "", 255}, {ChunkId(1), std::string("\0\xff\n", 3), 1}};

/// The journal of one rank in a folder of its own, with a clock that the test turns.
class JournalFixture : public testing::Test
{
  protected:
    [[nodiscard]] fs::path folder() const { return out_.path() / "journal"; }

    JournalWriter writer(const std::string& start, FlushPolicy policy = {}, int rank = 0)
    {
        return JournalWriter(folder(), kDigest, start, rank, policy, [this] { return now_; });
    }

    void write(const std::string& start, const Entries& entries)
    {
        auto journal = writer(start);
        for (const JournalEntry& entry : entries)
            journal.append(entry);
        journal.flush();
    }

    [[nodiscard]] std::vector<fs::path> files() const
    {
        std::vector<fs::path> names;
        for (const auto& entry : fs::directory_iterator(folder()))
            names.push_back(entry.path());
        std::sort(names.begin(), names.end());
        return names;
    }

    /// What is read, and what is said meanwhile.
    JournalContent read(int rank = 0, int size = 1)
    {
        testing::internal::CaptureStderr();
        JournalContent content;
        try
        {
            content = read_journal(folder(), kDigest, rank, size);
        }
        catch (...)
        {
            warnings_ = testing::internal::GetCapturedStderr();
            throw;
        }
        warnings_ = testing::internal::GetCapturedStderr();
        return content;
    }

    /// One warning that names the file and contains `reason`; nothing read.
    void expect_dropped(const fs::path& name, const std::string& reason)
    {
        const JournalContent content = read();
        EXPECT_TRUE(content.entries.empty());
        EXPECT_EQ(content.segments, 0U);
        EXPECT_EQ(content.dropped, 1U);
        EXPECT_NE(warnings_.find(name.string()), std::string::npos) << warnings_;
        EXPECT_NE(warnings_.find(reason), std::string::npos) << warnings_;
        EXPECT_EQ(std::count(warnings_.begin(), warnings_.end(), '\n'), 1) << warnings_;
    }

    test::TemporaryFolder out_;
    double now_ = 100;
    std::string warnings_;
};

}  // namespace test
}  // namespace flipstorm
