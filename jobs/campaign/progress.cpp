#include "jobs/campaign/progress.hpp"

#include <unistd.h>

#include <cmath>

#include "engine/base/log.hpp"
#include "engine/base/standard_output.hpp"
#include "engine/base/tolerance.hpp"

namespace flipstorm
{

std::string duration_text(double seconds)
{
    const auto s = static_cast<long>(std::lround(std::max(0.0, seconds)));
    if (s < 60) return fmt::format("{} s", s);
    if (s < 3600) return fmt::format("{}:{:02} min", s / 60, s % 60);
    return fmt::format("{}:{:02} h", s / 3600, s / 60 % 60);
}

std::string render_progress(const ProgressState& state)
{
    const double rate = state.seconds > 0 ? static_cast<double>(state.faults_this_run) / state.seconds : 0;
    std::string line =
        fmt::format("{}/{} faults ({:.1f} %), {:.0f} faults/s", state.faults_done, state.faults_total,
                    100.0 * static_cast<double>(state.faults_done) /
                        static_cast<double>(std::max<std::uint64_t>(1, state.faults_total)),
                    rate);
    if (state.critical)
    {
        line += fmt::format(", critical {:.2f} % [{:.2f}, {:.2f}]{}", 100 * state.critical->share,
                            100 * state.critical->low, 100 * state.critical->high,
                            state.ranks > 1 ? " (this rank's faults)" : "");
    }
    line += fmt::format(", saved {} ago", duration_text(state.segment_age));
    if (state.macs_done > 0)
    {
        const double left = state.seconds * state.macs_left / state.macs_done;
        line += fmt::format(", {} left", duration_text(left));
        if (state.seconds_to_deadline)
        {
            line += fmt::format(
                left <= *state.seconds_to_deadline ? " (deadline in {})" : " (more than the deadline in {})",
                duration_text(*state.seconds_to_deadline));
        }
    }
    return line;
}

CriticalCount::CriticalCount(const Plan& plan, double tolerance) : plan_(plan), tolerance_(tolerance)
{
    for (const Plan::Draw& draw : plan.draws())
    {
        parts_[{draw.stratum.value(), draw.layer.value()}].population = draw.permutation.size();
    }
}

void CriticalCount::add(const Chunk& chunk, const std::vector<Outcome>& outcomes)
{
    for (std::size_t i = 0; i < outcomes.size(); ++i)
    {
        const WeightFault fault = plan_.fault(FaultIndex(chunk.first.value() + i));
        StratumCount& count = parts_[{fault.stratum.value(), fault.layer.value()}];
        ++count.faults;
        if (exceeds(outcomes[i].drop, tolerance_)) ++count.hits;
    }
}

std::optional<ShareEstimate> CriticalCount::estimate() const
{
    std::vector<StratumCount> counts;
    for (const auto& [part, count] : parts_)
    {
        if (count.faults == 0) return std::nullopt;
        counts.push_back(count);
    }
    return estimate_share(counts);
}

ProgressLine::ProgressLine(bool quiet, double start)
    : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) != 0), next_(start + (terminal_ ? 0.5 : 10))
{}

ProgressLine::~ProgressLine()
{
    if (drawn_) print_error("\r\033[K");
}

void ProgressLine::show(double seconds, const std::function<ProgressState()>& state)
{
    if (quiet_ || seconds < next_) return;
    next_ = seconds + (terminal_ ? 0.5 : 60.0);
    const std::string line = render_progress(state());
    if (!terminal_)
    {
        log_info("{}", line);
        return;
    }
    print_error("\r\033[K" + line);
    drawn_ = true;
}

}  // namespace flipstorm
