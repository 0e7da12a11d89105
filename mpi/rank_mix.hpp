#pragma once
// Ranks of different kinds in one campaign: some own a GPU, some only processor cores. Pure functions.

#include <cstdint>
#include <string>
#include <vector>

namespace flipstorm
{

/// Where a rank computes.
struct RankPlace
{
    std::string host;
    std::string device;  ///< "cpu", "cuda:0"
    int threads = 1;
};

/// "4 rank(s), cpu, 2 thread(s) each"; if they differ "3 rank(s): 1 cuda:0 with 4 thread(s), 2 cpu with 2
/// thread(s)"; on more than one host followed by " on 2 hosts".
[[nodiscard]] std::string describe_ranks(const std::vector<RankPlace>& ranks);

/// How far the ranks are with a queue; cost in MACs, of which only ratios count.
struct QueueShare
{
    double mine = 0;   ///< cost of the chunks that this rank has taken, and finished
    double taken = 0;  ///< cost of all chunks that were taken, this rank's included
    double left = 0;   ///< cost of the chunks that nobody has taken
    double next = 0;   ///< cost of the dearest of those
    int ranks = 1;
};

/**
 * Whether a rank had better leave the rest of the queue to the others, because they would wait for it.
 *
 * With all ranks busy for the same time, what each has taken stands for its speed. This rank would be done
 * with the next chunk after next / mine of that time, the others with all that is left after
 * left / (taken - mine). It leaves where it needs longer than they, and is slower than a quarter of the mean
 * rank, so that little is lost. A rank that has finished nothing yet does not know its speed, and stays.
 *
 * Not all ranks leave: the last to do so would have taken less than a quarter of the mean, so some other rank
 * had taken more than the mean when it left, when the mean was smaller.
 */
[[nodiscard]] bool leaves_the_rest(const QueueShare& share);

}  // namespace flipstorm
