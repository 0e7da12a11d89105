#pragma once
// What earlier runs saved of a campaign: read from the journal and decoded, once.

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/chunk_record.hpp"
#include "jobs/resolve/context.hpp"
#include "mpi/journal.hpp"

namespace flipstorm
{

/// A rank's share of a journal.
struct SavedChunks
{
    /// Of a chunk, at a level, from a segment of a format. Of several the journal chooses.
    using Key = std::tuple<std::uint64_t, std::uint8_t, std::uint32_t>;

    JournalContent journal;  ///< which chunks there are; without their bytes
    std::map<Key, ChunkRecord> records;

    /// The chunks of the journal as it is now, with their records; they are gone from here.
    [[nodiscard]] std::vector<DoneChunk> take();
};

/**
 * This rank's share of what earlier runs left and can be used; what cannot, or is to be discarded, is
 * removed.
 *
 * \throws JobError, FileError as read_journal. \collective
 */
[[nodiscard]] SavedChunks take_up_journal(const Context& context, const Campaign& campaign);

}  // namespace flipstorm
