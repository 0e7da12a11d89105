#pragma once
// What ranks would do with a queue of chunks, without computing them: each takes the next chunk when it is
// free. Tells how long a campaign takes on so many ranks, and how many are worth having. Pure functions.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace flipstorm
{

/// A chunk in the queue; seconds on a rank of speed 1.
struct QueuedChunk
{
    std::int32_t layer = 0;
    double shared = 0;        ///< passes that its faults share, on a rank that comes from another layer
    double shared_again = 0;  ///< the same on a rank that comes from a chunk of this layer
    double own = 0;           ///< of its faults
    double cost = 0;          ///< as the plan sees it: decides which lane ranks take from
};

/// What comes on top of the chunks, in seconds.
struct QueueOverheads
{
    double start = 0;  ///< until a rank takes its first chunk; on a rank of speed 1
    double fetch = 0;  ///< of the shared counter, which serves one rank at a time
    double save = 0;   ///< to save a chunk, on any rank
    double write = 0;  ///< of the results at the end, by one rank; shared by all
    double split = 0;  ///< of the start, on a rank of speed 1: what the ranks share out between them
};

/// What came of it.
struct QueueRun
{
    double makespan = 0;      ///< seconds until the results are written
    double busy = 0;          ///< Σ over ranks, with chunks
    double idle = 0;          ///< Σ over ranks, from having no chunk any more until the last one is done
    double longest_idle = 0;  ///< of a rank
};

/**
 * Run a queue as ChunkQueue gives it out: a rank that is free takes the next chunk of its lane, or goes on to
 * the next lane.
 *
 * \param speeds  of the ranks, above 0; a rank of speed s takes 1 / s of a chunk's seconds
 * \throws Error without a rank or with a speed that is not above 0. O(chunks · log ranks).
 */
[[nodiscard]] QueueRun simulate_queue(const std::vector<QueuedChunk>& chunks,
                                      const std::vector<double>& speeds, const QueueOverheads& overheads);

/// Ranks of one speed.
struct RankGroup
{
    std::uint64_t count = 1;
    double speed = 1;  ///< relative to the rank that was calibrated
};

/**
 * Ranks as a user writes them: "1024", or "960,64x20" for 960 ranks like the calibrated one and 64 ranks
 * that are 20 times as fast. \throws JobError
 */
[[nodiscard]] std::vector<RankGroup> parse_ranks(std::string_view text);

/// Number of ranks, and the sum of their speeds.
[[nodiscard]] std::uint64_t rank_count(const std::vector<RankGroup>& groups);
[[nodiscard]] double total_speed(const std::vector<RankGroup>& groups);

/// A campaign on some ranks.
struct ScalingPoint
{
    std::vector<RankGroup> ranks;
    QueueRun run;
    double efficiency = 1;  ///< makespan of one rank of speed 1 / (makespan · Σ speeds)
};

/// The campaign on each of these sets of ranks.
[[nodiscard]] std::vector<ScalingPoint> scaling_of(const std::vector<QueuedChunk>& chunks,
                                                   const QueueOverheads& overheads,
                                                   const std::vector<std::vector<RankGroup>>& sets);

/// Where more ranks are no longer worth having.
struct ScalingLimits
{
    std::uint64_t efficient = 1;  ///< largest number of equal ranks, by bisection, with that efficiency
    double makespan = 0;          ///< of it
    std::uint64_t useful = 1;     ///< smallest power of two whose double saves less than 5 % of the time
    double least_makespan = 0;    ///< of it
};

/// Limits of a campaign on ranks of speed 1, of at most as many as there are chunks.
[[nodiscard]] ScalingLimits scaling_limits(const std::vector<QueuedChunk>& chunks,
                                           const QueueOverheads& overheads, double efficiency = 0.95);

}  // namespace flipstorm
