#include "jobs/campaign/chunk_record.hpp"

#include <algorithm>

#include "engine/base/tolerance.hpp"

namespace flipstorm
{

ChunkRecord record_of(std::vector<Outcome> outcomes)
{
    ChunkRecord record;
    for (Outcome& outcome : outcomes)
    {
        record.screened += outcome.screen.screened;
        record.audited += outcome.screen.audited;
        record.disagreements += outcome.screen.disagreements;
        outcome.screen = {};
    }
    record.outcomes = std::move(outcomes);
    return record;
}

std::uint64_t critical_faults(const ChunkRecord& chunk, double tolerance)
{
    return static_cast<std::uint64_t>(
        std::count_if(chunk.outcomes.begin(), chunk.outcomes.end(),
                      [&](const Outcome& outcome) { return exceeds(outcome.drop, tolerance); }));
}

}  // namespace flipstorm
