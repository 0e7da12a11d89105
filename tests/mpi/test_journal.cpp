// A journal written by all ranks and read by another number of ranks.

#include "mpi/journal.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <numeric>

#include "engine/base/error.hpp"
#include "tests/mpi/world.hpp"
#include "tests/unit/mpi/temporary_folder.hpp"

namespace flipstorm::test
{
namespace
{

const std::string kDigest(64, 'd');
constexpr std::uint64_t kChunks = 101;

std::string outcome(std::uint64_t chunk)
{
    return std::string(chunk * 100, static_cast<char>(chunk));
}

/// A folder that all ranks see.
class SharedJournal : public testing::Test
{
  protected:
    SharedJournal()
    {
        std::string path;
        if (world().is_root())
        {
            owner_ = std::make_unique<TemporaryFolder>();
            path = owner_->path().string();
        }
        world().broadcast(path);
        folder_ = std::filesystem::path(path) / "journal";
    }

    ~SharedJournal() override { world().barrier(); }

    /// Every rank writes the chunks r, r + size, …, below `end`.
    void write(std::uint64_t end)
    {
        JournalWriter journal(folder_, kDigest, new_start_id(world()), world().rank(), {5, 20'000},
                              [] { return 0.0; });
        for (auto chunk = static_cast<std::uint64_t>(world().rank()); chunk < end;
             chunk += static_cast<std::uint64_t>(world().size()))
        {
            journal.append({ChunkId(chunk), outcome(chunk)});
        }
        journal.flush();
        world().barrier();
    }

    /// Read on the ranks of `readers`; checks each entry, and that the ranks together have each chunk once.
    std::vector<std::uint8_t> read(const Communicator& readers)
    {
        JournalContent content = read_journal(folder_, kDigest, readers.rank(), readers.size());
        EXPECT_EQ(content.dropped, 0U);
        const std::vector<std::uint8_t> done = agree_on_done(readers, content, kChunks);
        for (const JournalEntry& entry : content.entries)
            EXPECT_TRUE(entry.bytes == outcome(entry.chunk.value()));
        const auto flags = std::accumulate(done.begin(), done.end(), std::uint64_t{0});
        EXPECT_EQ(readers.all_reduce(std::uint64_t{content.entries.size()}, Reduce::sum), flags);
        return done;
    }

    std::unique_ptr<TemporaryFolder> owner_;
    std::filesystem::path folder_;
};

TEST_F(SharedJournal, IsReadByAnyNumberOfRanks)
{
    write(kChunks);
    const std::vector<std::uint8_t> all(kChunks, 1);
    EXPECT_EQ(read(world()), all);
    EXPECT_EQ(read(world().split(world().rank() % 2)), all);  // half of the ranks, twice
    EXPECT_EQ(read(Communicator()), all);                     // one rank
}

TEST_F(SharedJournal, RunsThatOverlapCountOnce)
{
    write(40);
    write(60);
    std::vector<std::uint8_t> done(kChunks, 0);
    std::fill_n(done.begin(), 60, std::uint8_t{1});
    EXPECT_EQ(read(world()), done);
    EXPECT_EQ(read(world().split(world().rank() % 2)), done);
}

TEST_F(SharedJournal, ADamagedSegmentIsMissingOnAllRanks)
{
    write(kChunks);
    if (world().is_root())
    {
        std::filesystem::path first;
        for (const auto& entry : std::filesystem::directory_iterator(folder_))
        {
            if (first.empty() || entry.path() < first) first = entry.path();
        }
        std::filesystem::resize_file(first, std::filesystem::file_size(first) - 1);
    }
    world().barrier();
    JournalContent content = read_journal(folder_, kDigest, world().rank(), world().size());
    EXPECT_EQ(world().all_reduce(std::uint64_t{content.dropped}, Reduce::sum), 1U);
    const std::vector<std::uint8_t> done = agree_on_done(world(), content, kChunks);
    EXPECT_EQ(done[0], 0);
    EXPECT_EQ(done[kChunks - 1], 1);
    std::string bytes(done.begin(), done.end());
    world().broadcast(bytes);
    EXPECT_EQ(bytes, std::string(done.begin(), done.end()));
}

TEST_F(SharedJournal, StartIdIsTheSameOnAllRanks)
{
    const std::string id = new_start_id(world());
    for (const std::string& theirs : world().all_gather(id))
        EXPECT_EQ(theirs, id);
}

}  // namespace
}  // namespace flipstorm::test
