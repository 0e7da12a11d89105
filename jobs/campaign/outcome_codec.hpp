#pragma once
// The outcomes of a chunk as bytes, for the journal and for the way between ranks.

#include <string>
#include <string_view>
#include <vector>

#include "engine/evaluate/outcome.hpp"
#include "mpi/journal.hpp"

namespace flipstorm
{

/// What a journal holds of a chunk.
struct ChunkRecord
{
    std::uint64_t screened = 0;  ///< (fault, image) pairs of the chunk: sums of the outcomes' screen tallies
    std::uint64_t audited = 0;
    std::uint64_t disagreements = 0;
    std::vector<Outcome> outcomes;  ///< without their own screen tallies
};

/// A chunk's outcomes as a Boost.Serialization binary archive; their screen tallies are summed.
std::string encode_outcomes(const std::vector<Outcome>& outcomes);

/**
 * A chunk's record from its bytes.
 * \throws FileError if it is not of `count` outcomes on at most `images` images
 */
ChunkRecord decode_outcomes(const std::string& bytes, std::size_t count, std::uint64_t images);

/// Faults of a chunk whose drop exceeds the tolerance.
std::uint64_t critical_faults(const ChunkRecord& chunk, double tolerance);

/// Journal entries as bytes, to send them to another rank, and back. \throws FileError
std::string encode_entries(const std::vector<JournalEntry>& entries);
std::vector<JournalEntry> decode_entries(const std::string& bytes);

}  // namespace flipstorm
