#pragma once
// The outcomes of a chunk as bytes, for the journal and for the way between ranks.

#include <string>
#include <string_view>
#include <vector>

#include "engine/evaluate/outcome.hpp"
#include "mpi/journal.hpp"

namespace flipstorm
{

/// A chunk's outcomes as a Boost.Serialization binary archive.
std::string encode_outcomes(const std::vector<Outcome>& outcomes);

/**
 * Outcomes from their bytes.
 * \throws FileError if they are not `count` outcomes on at most `images` images
 */
std::vector<Outcome> decode_outcomes(const std::string& bytes, std::size_t count, std::uint64_t images);

/// Journal entries as bytes, to send them to another rank, and back. \throws FileError
std::string encode_entries(const std::vector<JournalEntry>& entries);
std::vector<JournalEntry> decode_entries(const std::string& bytes);

}  // namespace flipstorm
