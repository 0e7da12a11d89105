#pragma once
// What the journal costs: the time to encode, write and fsync a segment, against the time in which a campaign
// finds what is in it.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "jobs/bench/bench.hpp"

namespace flipstorm
{

/// A segment of the journal, as a rank writes it every campaign.journal_seconds.
struct JournalCost
{
    EvaluationMode mode = EvaluationMode::screened;
    std::uint64_t faults = 0;
    std::uint64_t bytes = 0;  ///< of the outcomes
    double work_seconds = 0;  ///< that the faults take to evaluate
    double seconds = 0;       ///< to encode, write and fsync them: median of several segments

    /// Of the run time of a campaign, in [0, 1).
    [[nodiscard]] double share() const { return seconds / (work_seconds + seconds); }
};

/**
 * Write segments with a JournalWriter, as a campaign in this mode would, and take the time.
 *
 * A segment holds chunks of all measured layers in turn, with the measured outcomes, repeated where there are
 * too few, until their evaluation takes `journal_seconds`, the segment is as large as the writer lets it
 * become, or the campaign is over.
 *
 * \param folder  of the file system to write to; a folder in it is made and removed
 * \param plan_faults, chunk_faults  [layers] of the campaign, and of its chunks
 * \throws FileError if it cannot be written there
 */
[[nodiscard]] JournalCost measure_journal_cost(const std::filesystem::path& folder, const ModeBench& mode,
                                               const std::vector<std::uint64_t>& plan_faults,
                                               const std::vector<std::uint64_t>& chunk_faults,
                                               double journal_seconds);

/// "Journal (screened): a segment of 12,345 faults, 412 KiB, every 5 s, takes 6.1 ms: 0.12 % of the run
/// time."
[[nodiscard]] std::string describe(const JournalCost& cost);

}  // namespace flipstorm
