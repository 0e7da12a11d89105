#pragma once
// The injection loop: rounds in which all ranks compute the chunks that are missing, each round followed by
// the verdict on every layer's screen.

#include <cstdint>
#include <string>
#include <vector>

#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/chunk_work.hpp"
#include "jobs/campaign/saved_chunks.hpp"
#include "jobs/campaign/screening.hpp"

namespace flipstorm
{

/// Shares of the loop's time that the ranks did not compute, 0 … 1.
struct WaitingTimes
{
    double next = 0;       ///< for the number of their next chunk, in the mean
    double next_most = 0;  ///< of the rank that waited longest
    double end = 0;        ///< for the last rank to finish, in the mean
    double end_most = 0;
    bool one_sided = true;  ///< the counter needs no message to rank 0 and back
};

/// What the injection loop leaves behind.
struct Harvest
{
    std::vector<DoneChunk> done;         ///< this rank's chunks, of the levels that count
    std::vector<LayerScreening> layers;  ///< by layer id; the same on all ranks
    std::vector<ChunkId> chunks;  ///< that the campaign wants, in plan order; all but for an iterative one
    std::vector<std::uint64_t> planned;    ///< by stratum: faults that the precision asks for
    std::vector<std::uint64_t> evaluated;  ///< by stratum: faults of `chunks`
    std::vector<std::uint64_t> known;      ///< by stratum: of those, before the last round of a guided one
    std::uint64_t missing = 0;             ///< chunks left to compute when the loop was stopped, on all ranks
    std::uint64_t faults = 0;  ///< whose outcomes that count were computed by this run, on all ranks
    double seconds = 0;
    WaitingTimes waiting;
    std::string stop_reason;
};

/**
 * Compute what the journal lacks.
 *
 * A round takes the batches with chunks that are missing at their layers' levels from a queue (ChunkQueue),
 * and ends with all of them in the journal. Then all ranks see how the campaign goes on (Course): an
 * iterative one may ask for more chunks, and a screen whose audit does not prove the bound is given up, rank
 * 0 says so, and the layer's chunks are missing again at its next level. The loop ends when every layer is
 * complete, or early for a stop condition.
 *
 * \throws FileError if the journal cannot be written or holds what cannot be. \collective
 */
[[nodiscard]] Harvest inject_missing(const Context& context, const Campaign& campaign, ChunkWork& work,
                                     SavedChunks saved);

}  // namespace flipstorm
