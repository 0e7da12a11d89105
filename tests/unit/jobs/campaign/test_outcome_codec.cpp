#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "engine/base/error.hpp"
#include "jobs/campaign/outcome_codec.hpp"

namespace flipstorm
{
namespace
{

std::vector<Outcome> some_outcomes()
{
    return {{{10, 9, 1, 0}, {8, 2, 1}, false, 0.0},
            {{4, 0, 4, 4}, {}, true, 0.3},
            {{10, 10, 1, 0}, {9, 3, 0}, false, -0.1}};
}

TEST(OutcomeCodec, GivesBackWhatItTook)
{
    const std::vector<Outcome> want = some_outcomes();
    const ChunkRecord record = decode_outcomes(encode_outcomes(want), 3, 10);
    EXPECT_EQ(record.screened, 17U);
    EXPECT_EQ(record.audited, 5U);
    EXPECT_EQ(record.disagreements, 1U);
    const std::vector<Outcome>& got = record.outcomes;
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < want.size(); ++i)
    {
        EXPECT_TRUE(got[i].tally == want[i].tally);
        EXPECT_EQ(got[i].stopped, want[i].stopped);
        EXPECT_EQ(got[i].drop, want[i].drop);
    }
    EXPECT_TRUE(decode_outcomes(encode_outcomes({}), 0, 10).outcomes.empty());
}

TEST(OutcomeCodec, RefusesTornAndImpossibleRecords)
{
    const std::string bytes = encode_outcomes(some_outcomes());
    EXPECT_THROW(decode_outcomes(bytes, 2, 10), FileError);  // another number of faults
    EXPECT_THROW(decode_outcomes(bytes, 3, 9), FileError);   // more images than there are
    EXPECT_THROW(decode_outcomes(bytes, 3, 11), FileError);  // not stopped, yet an image is missing
    for (std::size_t length = 0; length < bytes.size(); ++length)
    {
        EXPECT_THROW(decode_outcomes(bytes.substr(0, length), 3, 10), FileError) << length;
    }
    EXPECT_THROW(decode_outcomes(encode_outcomes({{{10, 11, 0, 0}, {}, false, 0}}), 1, 10), FileError);
    EXPECT_THROW(decode_outcomes(encode_outcomes({{{10, 0, 1, 2}, {}, false, 0}}), 1, 10), FileError);
    for (const ScreenTally screen : {ScreenTally{11, 0, 0}, ScreenTally{5, 6, 0}, ScreenTally{5, 4, 5}})
    {
        EXPECT_THROW(decode_outcomes(encode_outcomes({{{10, 9, 1, 0}, screen, false, 0}}), 1, 10), FileError);
    }
}

TEST(OutcomeCodec, RefusesDropsThatCannotBe)
{
    for (const double drop : {1.5, -1.5, std::numeric_limits<double>::quiet_NaN()})
        EXPECT_THROW(decode_outcomes(encode_outcomes({{{10, 9, 1, 0}, {}, false, drop}}), 1, 10), FileError);
}

TEST(OutcomeCodec, DoesNotBelieveLengths)
{
    const std::string bytes = encode_outcomes(some_outcomes());
    std::size_t lengths = 0;
    for (std::size_t place = 0; place + 8 <= bytes.size(); ++place)
    {
        std::string hostile = bytes;
        hostile.replace(place, 8, std::string("\0\0\0\x40\0\0\0\0", 8));  // 2^30 outcomes: 60 GiB
        try
        {
            static_cast<void>(decode_outcomes(hostile, 3, 10));
        }
        catch (const FileError& error)
        {
            lengths += std::string(error.what()).find("more than fit") != std::string::npos ? 1U : 0U;
        }
    }
    EXPECT_GE(lengths, 1U) << "one of the places is the length";
    EXPECT_THROW(decode_outcomes(bytes + '\0', 3, 10), FileError);
}

TEST(OutcomeCodec, ATruthValueIsZeroOrOne)
{
    const std::string yes = encode_outcomes({{{10, 9, 1, 0}, {}, true, 0}});
    const std::string no = encode_outcomes({{{10, 9, 1, 0}, {}, false, 0}});
    ASSERT_EQ(yes.size(), no.size());
    std::string other = yes;
    for (std::size_t i = 0; i < yes.size(); ++i)
    {
        if (yes[i] != no[i]) other[i] = 2;
    }
    ASSERT_NE(other, yes);
    EXPECT_THROW(decode_outcomes(other, 1, 10), FileError);
}

TEST(OutcomeCodec, CarriesJournalEntries)
{
    const std::string binary("a\0b", 3);
    const std::vector<JournalEntry> got =
        decode_entries(encode_entries({{ChunkId(7), binary, 2}, {ChunkId(0), ""}}));
    ASSERT_EQ(got.size(), 2U);
    EXPECT_EQ(got[0].chunk, ChunkId(7));
    EXPECT_EQ(got[0].bytes, binary);
    EXPECT_EQ(got[0].level, 2);
    EXPECT_EQ(got[1].level, 0);
    EXPECT_EQ(got[1].bytes, "");
    EXPECT_THROW(decode_entries("x"), FileError);
}

}  // namespace
}  // namespace flipstorm
