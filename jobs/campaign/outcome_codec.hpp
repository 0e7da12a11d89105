#pragma once
// The outcomes of a chunk as bytes, for the journal and for the way between ranks.

#include <string>
#include <vector>

#include "jobs/campaign/chunk_record.hpp"
#include "mpi/journal.hpp"

namespace flipstorm
{

/// A chunk's record as a Boost.Serialization binary archive.
std::string encode_record(const ChunkRecord& record);

/// The record_of() such outcomes, encoded.
std::string encode_outcomes(const std::vector<Outcome>& outcomes);

/**
 * A chunk's record from its bytes.
 * \throws FileError if it is not of `count` outcomes on at most `images` images
 */
ChunkRecord decode_outcomes(const std::string& bytes, std::size_t count, std::uint64_t images);

/// Journal entries as bytes, to send them to another rank, and back. \throws FileError
std::string encode_entries(const std::vector<JournalEntry>& entries);
std::vector<JournalEntry> decode_entries(const std::string& bytes);

}  // namespace flipstorm
