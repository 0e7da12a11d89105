#include "jobs/campaign/outcome_codec.hpp"

#include <boost/serialization/split_free.hpp>
#include <boost/serialization/string.hpp>
#include <boost/serialization/vector.hpp>
#include <cmath>

#include "engine/base/error.hpp"
#include "jobs/campaign/archive_bytes.hpp"

BOOST_CLASS_IMPLEMENTATION(flipstorm::Outcome, boost::serialization::object_serializable)
BOOST_CLASS_IMPLEMENTATION(flipstorm::ChunkRecord, boost::serialization::object_serializable)
BOOST_CLASS_IMPLEMENTATION(flipstorm::JournalEntry, boost::serialization::object_serializable)
BOOST_CLASS_TRACKING(flipstorm::Outcome, boost::serialization::track_never)
BOOST_CLASS_TRACKING(flipstorm::ChunkRecord, boost::serialization::track_never)
BOOST_CLASS_TRACKING(flipstorm::JournalEntry, boost::serialization::track_never)

namespace boost::serialization
{

template<class Archive>
void serialize(Archive& archive, flipstorm::Outcome& outcome, unsigned /*version*/)
{
    archive& outcome.tally& outcome.stopped& outcome.drop;
}

template<class Archive>
void serialize(Archive& archive, flipstorm::ChunkRecord& record, unsigned /*version*/)
{
    archive& record.screened& record.audited& record.disagreements& record.outcomes;
}

template<class Archive>
void save(Archive& archive, const flipstorm::JournalEntry& entry, unsigned /*version*/)
{
    const std::uint64_t chunk = entry.chunk.value();
    archive << chunk << entry.level << entry.bytes;
}

template<class Archive>
void load(Archive& archive, flipstorm::JournalEntry& entry, unsigned /*version*/)
{
    std::uint64_t chunk = 0;
    archive >> chunk >> entry.level >> entry.bytes;
    entry.chunk = flipstorm::ChunkId(chunk);
}

template<class Archive>
void serialize(Archive& archive, flipstorm::JournalEntry& entry, unsigned version)
{
    split_free(archive, entry, version);
}

}  // namespace boost::serialization

namespace flipstorm
{

std::string encode_record(const ChunkRecord& record)
{
    return to_bytes(record);
}

std::string encode_outcomes(const std::vector<Outcome>& outcomes)
{
    return encode_record(record_of(outcomes));
}

ChunkRecord decode_outcomes(const std::string& bytes, std::size_t count, std::uint64_t images)
{
    ChunkRecord record = from_bytes<ChunkRecord>(bytes);
    FS_CHECK(FileError, record.outcomes.size() == count,
             "the journal holds {} outcomes for a chunk of {} faults", record.outcomes.size(), count);
    FS_CHECK(FileError,
             record.screened <= count * images && record.audited <= record.screened &&
                 record.disagreements <= record.audited,
             "the journal holds an impossible screen: of {} pairs {} screened, {} audited, {} wrong",
             count * images, record.screened, record.audited, record.disagreements);
    for (const Outcome& outcome : record.outcomes)
    {
        const Tally& tally = outcome.tally;
        FS_CHECK(FileError,
                 tally.evaluated <= images && tally.correct <= tally.evaluated &&
                     tally.mismatches <= tally.evaluated && tally.nonfinite <= tally.mismatches &&
                     (outcome.stopped || tally.evaluated == images) && std::abs(outcome.drop) <= 1,
                 "the journal holds an impossible outcome: {} of {} images evaluated, {} correct, {} "
                 "mismatches, {} not finite, a drop of {}",
                 tally.evaluated, images, tally.correct, tally.mismatches, tally.nonfinite, outcome.drop);
    }
    return record;
}

std::string encode_entries(const std::vector<JournalEntry>& entries)
{
    return to_bytes(entries);
}

std::vector<JournalEntry> decode_entries(const std::string& bytes)
{
    return from_bytes<std::vector<JournalEntry>>(bytes);
}

}  // namespace flipstorm
