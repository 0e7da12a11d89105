#include "jobs/stages/forest_journal.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/framed_bytes.hpp"
#include "jobs/job_file/job_variants.hpp"
#include "tests/unit/mpi/temporary_folder.hpp"

namespace flipstorm
{
namespace
{

namespace fs = std::filesystem;

FitResult sample_fit()
{
    FitResult fit;
    fit.scores = {0.75, 0.5, 0.625, 0.25, 0.375, 0.125};
    fit.confusion = {1, 2, 3, 94};
    fit.importance = {0.25, 0.75};
    fit.trees = {{0, 1, 4},       {-1, 0, -1, -1}, {0, 1.5F, 0, 0},
                 {-1, 1, -1, -1}, {-1, 2, -1, -1}, {0.5F, 0.25F, 0, 1}};
    fit.held_out = {{0.5, 7, 1}, {0.25, 0, 2}};
    return fit;
}

void expect_equal(const FitResult& a, const FitResult& b)
{
    for (const ScoreColumn& score : score_columns())
        EXPECT_EQ(a.scores.*score.member, b.scores.*score.member);
    EXPECT_EQ(a.confusion.critical_critical, b.confusion.critical_critical);
    EXPECT_EQ(a.importance, b.importance);
    EXPECT_EQ(a.trees.first_node, b.trees.first_node);
    EXPECT_EQ(a.trees.feature, b.trees.feature);
    EXPECT_EQ(a.trees.threshold, b.trees.threshold);
    EXPECT_EQ(a.trees.left, b.trees.left);
    EXPECT_EQ(a.trees.right, b.trees.right);
    EXPECT_EQ(a.trees.probability, b.trees.probability);
    ASSERT_EQ(a.held_out.size(), b.held_out.size());
    for (std::size_t i = 0; i < a.held_out.size(); ++i)
    {
        EXPECT_EQ(a.held_out[i].score, b.held_out[i].score);
        EXPECT_EQ(a.held_out[i].acceptable, b.held_out[i].acceptable);
        EXPECT_EQ(a.held_out[i].critical, b.held_out[i].critical);
    }
}

struct ForestJournalTest : ::testing::Test
{
    test::TemporaryFolder temporary;
    fs::path folder = temporary.path() / "forest-journal";
    double now = 100;

    [[nodiscard]] ForestJournal open(const std::string& digest = "this stage", double seconds = 0)
    {
        return ForestJournal(folder, digest, seconds, [this] { return now; });
    }
    [[nodiscard]] std::size_t files() const
    {
        if (!fs::exists(folder)) return 0;
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
    }
};

TEST_F(ForestJournalTest, KeepsFitsForTheNextRun)
{
    {
        ForestJournal journal = open();
        EXPECT_FALSE(journal.find({"brf", 85, 3}));
        journal.keep({"brf", 85, 3}, sample_fit());
        EXPECT_EQ(files(), 1U);
    }
    ForestJournal journal = open();
    const std::optional<FitResult> found = journal.find({"brf", 85, 3});
    ASSERT_TRUE(found);
    expect_equal(*found, sample_fit());
    EXPECT_FALSE(journal.find({"brf", 85, 4}));
    EXPECT_FALSE(journal.find({"brf", 84, 3}));
    EXPECT_EQ(journal.found(), 1U);
    journal.discard();
    EXPECT_FALSE(fs::exists(folder));
}

TEST_F(ForestJournalTest, QuickFitsAreWrittenNowAndThenAndAtTheEnd)
{
    {
        ForestJournal journal = open("this stage", 5);
        journal.keep({"brf", 1, 1}, sample_fit());
        now += 4;
        journal.keep({"brf", 1, 2}, sample_fit());
        EXPECT_EQ(files(), 0U);
        now += 1;
        journal.keep({"brf", 1, 3}, sample_fit());
        EXPECT_EQ(files(), 3U);
        journal.keep({"brf", 1, 4}, sample_fit());
        journal.flush_if_slow(4.9);
        EXPECT_EQ(files(), 3U);
        journal.flush_if_slow(5);
        EXPECT_EQ(files(), 4U);
        journal.keep({"brf", 1, 5}, sample_fit());
    }
    EXPECT_EQ(files(), 5U);
    {
        ForestJournal journal = open("this stage", 5);
        journal.keep({"brf", 1, 6}, sample_fit());
        journal.discard();
    }
    EXPECT_FALSE(fs::exists(folder)) << "what is discarded must not be written by the destructor";
}

TEST_F(ForestJournalTest, DamagedAndForeignOnesAreDoneAgain)
{
    open().keep({"brf", 85, 0}, sample_fit());
    const fs::path file = folder / "brf-85-0.fit";
    const std::string good = read_file(file);
    const auto with = [&](const std::string& content) {
        std::ofstream(file, std::ios::binary) << content;
        return open().find({"brf", 85, 0}).has_value();
    };
    EXPECT_TRUE(with(good));
    for (const std::size_t length : {std::size_t{0}, std::size_t{5}, std::size_t{24}, good.size() - 1})
        EXPECT_FALSE(with(good.substr(0, length))) << length;
    for (std::size_t i = 0; i < good.size(); i += 7)
    {
        std::string flipped = good;
        flipped[i] = static_cast<char>(flipped[i] ^ 4);
        EXPECT_FALSE(with(flipped)) << "byte " << i;
    }
    EXPECT_TRUE(with(good));
    EXPECT_FALSE(open("another stage").find({"brf", 85, 0}));
    fs::rename(file, folder / "brf-85-1.fit");
    EXPECT_FALSE(open().find({"brf", 85, 1})) << "a file under the name of another fit";
    fs::remove(folder / "brf-85-1.fit");
    fs::create_directory(folder / "brf-85-1.fit");
    EXPECT_FALSE(open().find({"brf", 85, 1}));
}

TEST_F(ForestJournalTest, ALengthThatCannotBeIsAnError)
{
    std::string payload = std::string(encode_fit("this stage", {"brf", 85, 0}, sample_fit())).substr(24);
    // The number of the stage digest's characters comes first, behind the archive's header.
    const std::size_t at = payload.find("this stage");
    ASSERT_NE(at, std::string::npos);
    for (std::size_t i = at - 8; i < at; ++i)
        payload[i] = '\x7f';
    const Frame frame{std::string_view("\x89"
                                       "FSF\r\n\x1a\n",
                                       8),
                      3, "a fit of a forest"};
    EXPECT_THROW(static_cast<void>(decode_fit(framed(frame, payload))), FrameError);
}

TEST_F(ForestJournalTest, LengthsBehindAValidCrcAreNotBelieved)
{
    const Frame frame{std::string_view("\x89"
                                       "FSF\r\n\x1a\n",
                                       8),
                      3, "a fit of a forest"};
    const std::string file = encode_fit("this stage", {"brf", 85, 0}, sample_fit());
    const std::string payload(payload_of(frame, file));
    std::size_t lengths = 0;
    for (std::size_t place = 0; place + 8 <= payload.size(); ++place)
    {
        std::string hostile = payload;
        // 2^28 elements: with Boost's own reader, room for gigabytes.
        hostile.replace(place, 8, std::string("\0\0\0\x10\0\0\0\0", 8));
        try
        {
            static_cast<void>(decode_fit(framed(frame, hostile)));
        }
        catch (const FrameError& error)
        {
            lengths += std::string(error.what()).find("more than fit") != std::string::npos ? 1U : 0U;
        }
    }
    // Of two texts, importances, six columns of trees, and scores.
    EXPECT_GE(lengths, 10U);
    EXPECT_THROW(static_cast<void>(decode_fit(framed(frame, payload + "x"))), FrameError);
}

TEST_F(ForestJournalTest, NoVariantMayHaveItsName)
{
    EXPECT_NE(variant_name_problem(kForestJournal), "");
}

TEST_F(ForestJournalTest, OnlyItsOwnFilesAreRemoved)
{
    EXPECT_NO_THROW(remove_forest_journal(folder));
    open().keep({"brf", 85, 0}, sample_fit());
    std::ofstream(folder / ".brf-85-1.fit.tmp").put('x');
    std::ofstream(folder / "notes.txt").put('x');
    remove_forest_journal(folder);
    EXPECT_EQ(files(), 1U);
    EXPECT_TRUE(fs::exists(folder / "notes.txt"));
}

TEST_F(ForestJournalTest, AFolderThatCannotBeWrittenIsAnError)
{
    std::ofstream(folder).put('x');  // a file where the folder should be
    ForestJournal journal = open();
    EXPECT_THROW(journal.keep({"brf", 85, 0}, sample_fit()), FileError);
}

}  // namespace
}  // namespace flipstorm
