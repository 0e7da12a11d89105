#pragma once
// The outcomes of a chunk of transient faults as bytes, for the journal and for the way between ranks.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/evaluate/outcome.hpp"
#include "jobs/campaign/chunk_record.hpp"

namespace flipstorm
{

/// A Boost.Serialization binary archive.
[[nodiscard]] std::string encode_transient(const std::vector<TransientOutcome>& outcomes);

/// \throws FileError if it is not of `count` outcomes on `images` images each
[[nodiscard]] std::vector<TransientOutcome> decode_transient(const std::string& bytes, std::size_t count,
                                                             std::uint64_t images);

/// The same outcomes as a chunk's record: nothing screened or stopped, and what was masked; and back.
[[nodiscard]] ChunkRecord as_record(const std::vector<TransientOutcome>& outcomes);
[[nodiscard]] std::vector<TransientOutcome> as_outcomes(const ChunkRecord& record);

}  // namespace flipstorm
