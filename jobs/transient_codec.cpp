#include "jobs/transient_codec.hpp"

#include <boost/archive/binary_iarchive.hpp>
#include <boost/archive/binary_oarchive.hpp>
#include <boost/serialization/vector.hpp>
#include <cmath>
#include <sstream>

#include "engine/base/error.hpp"

BOOST_CLASS_IMPLEMENTATION(flipstorm::TransientOutcome, boost::serialization::object_serializable)
BOOST_CLASS_TRACKING(flipstorm::TransientOutcome, boost::serialization::track_never)

namespace boost::serialization
{

template<class Archive>
void serialize(Archive& archive, flipstorm::TransientOutcome& outcome, unsigned /*version*/)
{
    archive& outcome.tally.evaluated& outcome.tally.correct& outcome.tally.mismatches& outcome.tally
        .nonfinite;
    archive& outcome.masked& outcome.drop;
}

}  // namespace boost::serialization

namespace flipstorm
{

std::string encode_transient(const std::vector<TransientOutcome>& outcomes)
{
    std::ostringstream stream;
    {
        boost::archive::binary_oarchive archive(stream, boost::archive::no_header);
        archive << outcomes;
    }
    return stream.str();
}

std::vector<TransientOutcome> decode_transient(const std::string& bytes, std::size_t count,
                                               std::uint64_t images)
{
    std::vector<TransientOutcome> outcomes;
    try
    {
        std::istringstream stream(bytes);
        boost::archive::binary_iarchive archive(stream, boost::archive::no_header);
        archive >> outcomes;
    }
    catch (const std::exception& error)
    {
        throw FileError("the journal holds outcome records that cannot be read ({}); remove it with --fresh",
                        error.what());
    }
    FS_CHECK(FileError, outcomes.size() == count, "the journal holds {} outcomes for a chunk of {} faults",
             outcomes.size(), count);
    for (const TransientOutcome& outcome : outcomes)
    {
        const Tally& tally = outcome.tally;
        FS_CHECK(FileError,
                 tally.evaluated == images && tally.correct <= images &&
                     tally.nonfinite <= tally.mismatches && tally.mismatches <= images &&
                     outcome.masked <= images - tally.mismatches && std::isfinite(outcome.drop),
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
        record.outcomes.push_back({outcome.tally, {}, false, outcome.drop});
    return record;
}

}  // namespace flipstorm
