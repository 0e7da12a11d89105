#pragma once
// How a campaign is doing, seen from outside: from the files of its out folder alone, while ranks may be
// writing them. Nothing is written, locked or waited for.

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "analysis/estimates.hpp"
#include "analysis/transient_estimates.hpp"
#include "jobs/campaign/campaign_description.hpp"

namespace flipstorm
{

/// What a folder tells of its campaign.
enum class CampaignState
{
    absent,    ///< no campaign was started here
    starting,  ///< nothing is saved yet
    running,
    silent,    ///< it should run, but has given no sign of life for long
    failed,    ///< since it was started it has left an error; the same command continues it
    stopped,   ///< by a signal, its deadline or the file STOP; the same command continues it
    complete,  ///< campaign.h5 is there
};

/// "running", "no sign of life", …
[[nodiscard]] const char* to_string(CampaignState state);

/// What decides the state; times in seconds since 1970.
struct SignsOfLife
{
    bool complete = false;
    bool described = false;
    bool saved = false;   ///< there are segments
    bool ended = false;   ///< the description says so
    bool failed = false;  ///< an error was left since the start
    double last = 0;
    double now = 0;
    double journal_seconds = 0;  ///< between segments, if chunks are short
};

/// The state. Silent is who has given no sign for ten minutes, or for ten times the journal's interval. Pure.
[[nodiscard]] CampaignState judge_state(const SignsOfLife& signs);

/// Work that became safe at an instant.
struct SavedWork
{
    double time = 0;  ///< seconds since 1970
    std::uint64_t faults = 0;
    double macs = 0;
};

/// Work per second of an interval.
struct Throughput
{
    double seconds = 0;  ///< length of the interval; 0: not known
    double faults_per_second = 0;
    double macs_per_second = 0;
};

/// Work saved in (from, to], divided by the interval's length. Pure.
[[nodiscard]] Throughput throughput(const std::vector<SavedWork>& saved, double from, double to);

/// Where "lately" begins: five minutes ago, or as long ago as it takes to hold ten segments; never before
/// `started`. `saved` ascending in time. Pure.
[[nodiscard]] double recently(const std::vector<SavedWork>& saved, double started, double now);

/// Faults of one stratum in one layer.
struct StratumPart
{
    std::size_t stratum = 0;
    std::size_t layer = 0;
    std::uint64_t population = 0;
    std::uint64_t planned = 0;
    std::uint64_t done = 0;           ///< with an outcome that counts
    std::vector<std::uint64_t> hits;  ///< critical ones of them, by tolerance; empty for transient faults
};

/// A stratum of the plan; −1 stands for all.
struct StratumName
{
    std::int32_t layer = -1;
    std::int32_t bit = -1;
};

/// All there is to say.
struct CampaignStatus
{
    CampaignState state = CampaignState::absent;
    std::time_t now = 0;
    std::optional<CampaignDescription> description;
    std::string name;                  ///< of the job; empty if not known
    std::vector<std::string> trouble;  ///< what could not be read, and so is missing below

    std::string target = "weights";
    std::vector<std::string> layers;
    std::vector<StratumName> strata;
    std::vector<double> tolerances;
    std::vector<StratumPart> parts;  ///< empty where nothing is known of the plan
    /// Of transient faults, by layer and last of the network; empty for faults in weights. While the campaign
    /// runs, each part weighs by its own population; in the end a stratum does, as in the report.
    std::vector<Struck> struck;
    std::uint64_t faults_done = 0;
    std::uint64_t faults_planned = 0;
    std::uint64_t chunks_done = 0;
    std::uint64_t chunks_planned = 0;
    std::uint64_t chunks_again = 0;     ///< saved with screens that were given up since
    std::uint64_t chunks_outdated = 0;  ///< saved by an earlier version with outcomes that may be wrong

    std::size_t segments = 0;
    std::vector<std::string> damaged;  ///< segments that count for nothing
    std::size_t unfinished = 0;
    std::size_t runs = 0;                ///< that have saved something
    std::optional<double> last_segment;  ///< seconds since 1970
    Throughput recent;
    Throughput since_start;
    std::optional<double> seconds_left;

    std::optional<std::string> lock;  ///< who holds the folder
    std::optional<double> lock_time;  ///< of the holder's last sign of life, seconds since 1970
    std::optional<std::string> last_error;
    bool stop_file = false;
    std::vector<std::filesystem::path> files;  ///< results in the folder
};

/// Look at an out folder. \throws FileError if there is no such folder. Thread-safe.
[[nodiscard]] CampaignStatus look_at_campaign(const std::filesystem::path& out, std::time_t now);

/**
 * Estimated critical share for a tolerance over some parts, each weighted by its population.
 *
 * Parts are computed dearest first, but within a part the faults come in random order: so each part with a
 * fault is estimated without bias, and `covered` says how much of the population those parts are.
 * \param tolerance  index into `tolerances`
 */
template<class Wanted>
[[nodiscard]] ShareEstimate estimate_parts(const CampaignStatus& status, std::size_t tolerance,
                                           Wanted&& wanted)
{
    std::vector<StratumCount> counts;
    for (const StratumPart& part : status.parts)
    {
        if (wanted(part)) counts.push_back({part.population, part.done, part.hits[tolerance]});
    }
    return estimate_share(counts);
}

}  // namespace flipstorm
