#include "jobs/campaign/transient_codec.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

TEST(TransientCodec, GivesBackWhatItTook)
{
    const std::vector<TransientOutcome> want{{{4, 3, 1, 1}, 2, 0.25}, {{4, 4, 0, 0}, 4, -0.5}};
    const std::string bytes = encode_transient(want);
    const std::vector<TransientOutcome> got = decode_transient(bytes, 2, 4);
    ASSERT_EQ(got.size(), 2U);
    const ChunkRecord record = as_record(got);
    for (std::size_t i = 0; i < 2; ++i)
    {
        EXPECT_TRUE(got[i].tally == want[i].tally && record.outcomes[i].tally == want[i].tally);
        EXPECT_EQ(got[i].masked, want[i].masked);
        EXPECT_EQ(got[i].drop, want[i].drop);
        EXPECT_EQ(record.outcomes[i].drop, want[i].drop);
        EXPECT_EQ(record.masked[i], want[i].masked);
        EXPECT_FALSE(record.outcomes[i].stopped);
    }
    EXPECT_EQ(got[0].tolerable(), 1U);
    EXPECT_EQ(record.screened, 0U);
    EXPECT_EQ(encode_transient(as_outcomes(record)), bytes);
}

TEST(TransientCodec, RefusesTornAndImpossibleRecords)
{
    const std::string bytes = encode_transient({{{4, 3, 1, 1}, 2, 0.25}});
    EXPECT_THROW(static_cast<void>(decode_transient(bytes, 2, 4)), FileError);
    EXPECT_THROW(static_cast<void>(decode_transient(bytes, 1, 5)), FileError);
    EXPECT_THROW(static_cast<void>(decode_transient(bytes.substr(0, bytes.size() / 2), 1, 4)), FileError);
    for (const TransientOutcome& bad :
         std::vector<TransientOutcome>{{{4, 5, 1, 1}, 2, 0},
                                       {{4, 3, 1, 2}, 2, 0},
                                       {{4, 3, 2, 1}, 3, 0},
                                       {{4, 3, 5, 1}, 0, 0},
                                       {{4, 3, 1, 1}, 2, std::numeric_limits<double>::quiet_NaN()}})
    {
        EXPECT_THROW(static_cast<void>(decode_transient(encode_transient({bad}), 1, 4)), FileError);
    }
}

}  // namespace
}  // namespace flipstorm
