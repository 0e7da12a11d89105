#pragma once
// What is known of the faults of a chunk, decoded: the one form in which outcomes go from the journal, or
// from what computed them, to the course of the campaign, to `status` and to campaign.h5.

#include <cstdint>
#include <vector>

#include "engine/base/ids.hpp"
#include "engine/evaluate/outcome.hpp"

namespace flipstorm
{

/// What a journal holds of a chunk.
struct ChunkRecord
{
    std::uint64_t screened = 0;  ///< (fault, image) pairs of the chunk: sums of the outcomes' screen tallies
    std::uint64_t audited = 0;
    std::uint64_t disagreements = 0;
    std::vector<Outcome> outcomes;        ///< without their own screen tallies
    std::vector<std::uint32_t> masked{};  ///< of transient faults: images whose logits are bit-identical
};

/// A chunk that is done, at a level of screening.
struct DoneChunk
{
    ChunkId chunk;
    std::uint8_t level = 0;
    ChunkRecord record;
};

/// The record of outcomes that were just computed: their screen tallies are summed.
[[nodiscard]] ChunkRecord record_of(std::vector<Outcome> outcomes);

/// Faults of a chunk whose drop exceeds the tolerance.
[[nodiscard]] std::uint64_t critical_faults(const ChunkRecord& chunk, double tolerance);

}  // namespace flipstorm
