#include "jobs/campaign/transient_codec.hpp"

#include <boost/serialization/vector.hpp>
#include <cmath>

#include "engine/base/error.hpp"
#include "jobs/campaign/archive_bytes.hpp"

BOOST_CLASS_IMPLEMENTATION(flipstorm::TransientOutcome, boost::serialization::object_serializable)
BOOST_CLASS_TRACKING(flipstorm::TransientOutcome, boost::serialization::track_never)

namespace boost::serialization
{

template<class Archive>
void serialize(Archive& archive, flipstorm::TransientOutcome& outcome, unsigned /*version*/)
{
    archive& outcome.tally& outcome.masked& outcome.drop;
}

}  // namespace boost::serialization

namespace flipstorm
{

std::string encode_transient(const std::vector<TransientOutcome>& outcomes)
{
    return to_bytes(outcomes);
}

std::vector<TransientOutcome> decode_transient(const std::string& bytes, std::size_t count,
                                               std::uint64_t images)
{
    const auto outcomes = from_bytes<std::vector<TransientOutcome>>(bytes);
    FS_CHECK(FileError, outcomes.size() == count, "the journal holds {} outcomes for a chunk of {} faults",
             outcomes.size(), count);
    for (const TransientOutcome& outcome : outcomes)
    {
        const Tally& tally = outcome.tally;
        FS_CHECK(FileError,
                 tally.evaluated == images && tally.correct <= images &&
                     tally.nonfinite <= tally.mismatches && tally.mismatches <= images &&
                     outcome.masked <= images - tally.mismatches && std::abs(outcome.drop) <= 1,
                 "the journal holds an impossible outcome: {} of {} images evaluated, {} correct, {} masked, "
                 "{} mismatches, {} not finite",
                 tally.evaluated, images, tally.correct, outcome.masked, tally.mismatches, tally.nonfinite);
    }
    return outcomes;
}

ChunkRecord as_record(const std::vector<TransientOutcome>& outcomes)
{
    ChunkRecord record;
    for (const TransientOutcome& outcome : outcomes)
    {
        record.outcomes.push_back({outcome.tally, {}, false, outcome.drop});
        record.masked.push_back(outcome.masked);
    }
    return record;
}

std::vector<TransientOutcome> as_outcomes(const ChunkRecord& record)
{
    FS_REQUIRE(record.masked.size() == record.outcomes.size(), "{} outcomes, masked images of {}",
               record.outcomes.size(), record.masked.size());
    std::vector<TransientOutcome> outcomes;
    for (std::size_t i = 0; i < record.outcomes.size(); ++i)
        outcomes.push_back({record.outcomes[i].tally, record.masked[i], record.outcomes[i].drop});
    return outcomes;
}

}  // namespace flipstorm
