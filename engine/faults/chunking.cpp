#include "engine/faults/chunking.hpp"

#include <algorithm>
#include <cmath>

namespace flipstorm
{
namespace
{

/// Some seconds on a core.
constexpr double kChunkMacs = 1.0e11;

/// What is shared by the faults of a chunk, as a part of what they cost themselves.
constexpr double kSharedPart = 0.25;

/// Faults of one weight, where a chunk can have as many of each.
constexpr double kFaultsPerWeight = 8;

/// Most faults of a chunk, unless the layer has many times as many.
constexpr double kLargest = 2048;
constexpr double kLargestPart = 1.0 / 32;

/// Where chunks are dearer than this, minutes on a core, their sizes fall.
constexpr double kLongMacs = 4.0e12;

/// Sizes of the chunks of a long layer, beside the usual: at first, and at last.
constexpr double kFirstPart = 3;
constexpr double kLastPart = kFirstPart / 32;

/// A last chunk of less than this part of the others goes with the one before.
constexpr double kRemainder = 1.0 / 4;

constexpr double kRounding = 1e-6;
constexpr double kMany = 1e15;  // faults; still a whole number

/// Largest number of faults in a chunk of a layer with so many.
double most_faults(std::uint64_t count)
{
    return std::floor(std::max(kLargest, kLargestPart * static_cast<double>(count)));
}

/// What a chunk's faults are to cost, far from the end.
double target_of(const LayerLoad& load, std::uint64_t count, double macs)
{
    const double fault = macs / static_cast<double>(count);
    const auto part = [&](std::uint64_t parts) { return static_cast<double>((count + parts - 1) / parts); };
    const double affordable = std::min(kChunkMacs / fault, part(8));
    double worthwhile = load.shared_macs / kSharedPart / fault;
    const double of_weights = kFaultsPerWeight * static_cast<double>(load.weights);
    if (load.shared_macs > 0 && load.runs.size() == 1 &&
        of_weights < std::min(kLargest, static_cast<double>(count)))
        worthwhile = std::max(worthwhile, of_weights);
    worthwhile = std::min(worthwhile, part(2));
    return fault * std::floor(std::clamp(std::max(affordable, worthwhile), 1.0, most_faults(count)));
}

/// The target when so much of the layer's work is left: halved whenever half is done.
double target_with(double target, double shared, double left, double all)
{
    if (target + shared < kLongMacs) return target;
    double part = kFirstPart;
    for (double share = 0.5; part > kLastPart && left <= share * all; share /= 2)
        part /= 2;
    return part * target;
}

}  // namespace

std::vector<ChunkCut> cut_into_chunks(const LayerLoad& load)
{
    std::uint64_t count = 0;
    double all = 0;
    for (const FaultRun& run : load.runs)
    {
        count += run.count;
        all += static_cast<double>(run.count) * run.macs;
    }
    std::vector<ChunkCut> cuts;
    if (count == 0) return cuts;
    const double target = target_of(load, count, all);
    const auto largest = static_cast<std::uint64_t>(most_faults(count));
    std::uint64_t faults_left = count;  // beside those of the chunk
    double left = all;
    ChunkCut cut;
    const auto close = [&] {
        cut.macs += load.shared_macs;
        cuts.push_back(cut);
        cut = {};
    };
    for (const FaultRun& run : load.runs)
    {
        for (std::uint64_t done = 0; done < run.count;)
        {
            const double goal = target_with(target, load.shared_macs, left + cut.macs, all);
            const double room = (goal - cut.macs) / run.macs + kRounding;
            const bool remainder = left < kRemainder * goal && cut.count + faults_left <= largest;
            if (cut.count == largest || (cut.count > 0 && room < 1 && !remainder))
            {
                close();
                continue;
            }
            std::uint64_t here = std::min(run.count - done, largest - cut.count);
            if (!remainder) here = std::min(here, static_cast<std::uint64_t>(std::clamp(room, 1.0, kMany)));
            cut.count += here;
            cut.macs += static_cast<double>(here) * run.macs;
            faults_left -= here;
            left -= static_cast<double>(here) * run.macs;
            done += here;
        }
    }
    close();
    return cuts;
}

}  // namespace flipstorm
