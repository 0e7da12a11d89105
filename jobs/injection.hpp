#pragma once
// The injection loop: rounds in which all ranks compute the chunks that are missing, each round followed by
// the verdict on every layer's screen.

#include <cstdint>
#include <string>
#include <vector>

#include "jobs/campaign.hpp"
#include "jobs/chunk_work.hpp"
#include "jobs/screening.hpp"
#include "mpi/journal.hpp"

namespace flipstorm
{

/// What the injection loop leaves behind.
struct Harvest
{
    std::vector<JournalEntry> entries;   ///< this rank's chunks, of the levels that count
    std::vector<LayerScreening> layers;  ///< by layer id; the same on all ranks
    std::uint64_t missing = 0;           ///< chunks left to compute when the loop was stopped, on all ranks
    std::uint64_t faults = 0;  ///< whose outcomes that count were computed by this run, on all ranks
    double seconds = 0;
    std::string stop_reason;
};

/**
 * Compute what the journal lacks.
 *
 * A round takes the chunks that are missing at their layers' levels from a queue, dearest first, and ends
 * with all of them in the journal. Then all ranks judge the layers (screening_of): a screen whose audit does
 * not prove the bound is given up, rank 0 says so, and the layer's chunks are missing again at its next
 * level. The loop ends when every layer is complete, or early for a stop condition.
 *
 * \throws FileError if the journal cannot be written or holds what cannot be. \collective
 */
[[nodiscard]] Harvest inject_missing(const Context& context, const Campaign& campaign, ChunkWork& work,
                                     JournalContent journal);

}  // namespace flipstorm
