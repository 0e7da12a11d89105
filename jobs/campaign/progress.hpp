#pragma once
// The one line that tells how a campaign is going: redrawn on a terminal, appended once a minute to a log.

#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/estimates.hpp"
#include "engine/evaluate/outcome.hpp"
#include "engine/faults/plan.hpp"

namespace flipstorm
{

/// What the line says.
struct ProgressState
{
    std::uint64_t faults_done = 0;  ///< by all ranks and earlier runs
    std::uint64_t faults_total = 0;
    double macs_done = 0;  ///< by this run
    double macs_left = 0;
    double seconds = 0;  ///< of this run
    std::uint64_t faults_this_run = 0;
    double segment_age = 0;  ///< seconds
    std::optional<double> seconds_to_deadline;
    std::optional<ShareEstimate> critical;  ///< from the outcomes this rank knows
    int ranks = 1;                          ///< with more, the line says whose outcomes these are
};

/// "59 s", "1:05 min", "2:30 h".
std::string duration_text(double seconds);

/// The line, without line feed.
std::string render_progress(const ProgressState& state);

/// Critical faults per stratum and layer among the outcomes that a rank has seen. Chunks come dearest first,
/// not at random: an estimate needs faults of every part of the population.
class CriticalCount
{
  public:
    CriticalCount(const Plan& plan, double tolerance);
    void add(const Chunk& chunk, const std::vector<Outcome>& outcomes);
    /// The network's critical share; nothing before every part of the population has been seen.
    [[nodiscard]] std::optional<ShareEstimate> estimate() const;

  private:
    const Plan& plan_;
    double tolerance_;
    std::map<std::pair<std::int32_t, std::int32_t>, StratumCount> parts_;  ///< by (stratum, layer)
};

/// Shows progress lines at a bearable rate. Silent when quiet.
class ProgressLine
{
  public:
    /// `start`: seconds, as show() is given them.
    explicit ProgressLine(bool quiet, double start = 0);
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    /// Show the line if it is time: twice a second on a terminal, else once a minute.
    void show(double seconds, const std::function<ProgressState()>& state);

  private:
    bool quiet_;
    bool terminal_;
    bool drawn_ = false;
    double next_;
};

}  // namespace flipstorm
