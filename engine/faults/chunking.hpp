#pragma once
// How the faults of a layer are cut into chunks: large ones, so that what the faults of a chunk share is paid
// for rarely, and smaller ones at the end, so that no rank waits long for the last. A pure function of the
// work, never of the number of ranks: outcomes and journal do not depend on who computes.

#include <cstdint>
#include <vector>

namespace flipstorm
{

/// Faults that follow each other and cost about the same.
struct FaultRun
{
    std::uint64_t count = 0;
    double macs = 0;  ///< of one fault, multiply-accumulates, about; above 0
};

/// What a campaign does to a layer.
struct LayerLoad
{
    std::vector<FaultRun> runs;  ///< in the order of the faults
    double shared_macs = 0;      ///< golden and gradient passes of each chunk
    std::uint64_t weights = 0;   ///< the faults of a weight share the direction of their change
};

/// A chunk-to-be.
struct ChunkCut
{
    std::uint64_t count = 0;
    double macs = 0;  ///< of its faults, and the shared passes
};

/**
 * Cut the faults of a layer into chunks, in order; each fault is in one.
 *
 * The chunks have about the same cost, not the same number of faults: some seconds of a core; or, where that
 * is more, so much that the shared passes are a fifth of it. But a layer makes eight chunks if the shared
 * passes allow, and two if not, and none has more than 2,048 faults (or a 32nd of the layer's).
 *
 * Where a chunk would take minutes, sizes fall: half of the work goes in chunks of three times that cost,
 * half of the rest in chunks of half of it, and so on, five times (factoring: Hummel, Schonberg and Flynn,
 * CACM 1992; but without the number of ranks). Computed dearest first, the small ones are left at the end.
 */
[[nodiscard]] std::vector<ChunkCut> cut_into_chunks(const LayerLoad& load);

}  // namespace flipstorm
