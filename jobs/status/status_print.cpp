#include "jobs/status/status_print.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/result_table.hpp"
#include "engine/base/error.hpp"
#include "engine/base/printable_text.hpp"
#include "engine/base/timing.hpp"
#include "jobs/campaign/progress.hpp"
#include "jobs/status/status_rows.hpp"

namespace flipstorm
{
namespace
{

constexpr std::size_t kMostRows = 40;
constexpr std::size_t kMostNamed = 5;

std::string percent(double share)
{
    return format_percent(share, 3);
}

double share_done(const CampaignStatus& status)
{
    return static_cast<double>(status.faults_done) /
           static_cast<double>(std::max<std::uint64_t>(1, status.faults_planned));
}

/// The cells of a row behind its names.
std::vector<std::string> cells(const StatusRow& row)
{
    return {format_count(row.population),   format_count(row.planned), format_count(row.done),
            percent(row.critical.share),    percent(row.critical.low), percent(row.critical.high),
            format_count(row.critical.hits)};
}

ResultTable parts_table(const CampaignStatus& status, std::size_t tolerance, bool by_stratum)
{
    ResultTable table;
    table.title = fmt::format("Critical at a tolerated drop of {} %{}", percent(status.tolerances[tolerance]),
                              status.state == CampaignState::complete ? "" : ", so far");
    table.columns = {"layer",      "population", "planned",   "done",
                     "critical %", "95 % low",   "95 % high", "critical faults"};
    table.text_columns = by_stratum ? 2 : 1;
    const auto add = [&](std::vector<std::string> names, const StatusRow& row) {
        const std::vector<std::string> numbers = cells(row);
        names.insert(names.end(), numbers.begin(), numbers.end());
        table.rows.push_back(std::move(names));
    };
    if (by_stratum)
    {
        table.columns.insert(table.columns.begin() + 1, "bit");
        for (std::size_t s = 0; s < status.strata.size(); ++s)
        {
            const StratumName& name = status.strata[s];
            add({layer_name(status, name.layer), name.bit < 0 ? "all" : std::to_string(name.bit)},
                stratum_row(status, tolerance, s));
        }
        return table;
    }
    for (std::size_t l = 0; l < status.layers.size(); ++l)
    {
        const StatusRow row = layer_row(status, tolerance, l);
        if (row.population > 0) add({status.layers[l]}, row);  // else the job left the layer out
    }
    table.note = "Strata of a layer reweighted by population; --strata shows each.";
    return table;
}

ResultTable network_table(const CampaignStatus& status)
{
    ResultTable table;
    table.title = "The network, strata reweighted by population";
    table.columns = {"tolerated drop %", "critical %", "95 % low", "95 % high", "critical faults", "faults"};
    table.text_columns = 0;
    double covered = 0;
    for (std::size_t t = 0; t < status.tolerances.size(); ++t)
    {
        const ShareEstimate share = network_row(status, t).critical;
        covered = share.covered;
        table.rows.push_back({percent(status.tolerances[t]), percent(share.share), percent(share.low),
                              percent(share.high), format_count(share.hits), format_count(share.faults)});
    }
    if (covered < 1)
    {
        table.note = fmt::format(
            "Only of the strata that have a fault already: {} % of all bits. Chunks come dearest first.",
            format_percent(covered));
    }
    return table;
}

/// Shares of the inferences under transient faults, by layer and of the network.
ResultTable struck_table(const CampaignStatus& status)
{
    ResultTable table;
    table.title = fmt::format("Inferences under faults in {}{}", in_words(status.target),
                              status.state == CampaignState::complete ? "" : ", so far");
    table.columns = {"layer", "probability %", "planned", "done"};
    for (const char* name : {"masked %", "tolerable SDC %", "critical SDC %", "non-finite %"})
        table.columns.insert(table.columns.end(), {name, "95 % interval"});
    const auto add = [&](const std::string& name, const Struck& struck, const StatusRow& row) {
        std::vector<std::string> cells{name, percent(struck.probability), format_count(row.planned),
                                       format_count(row.done)};
        const Vulnerability& seen = struck.seen;
        for (const ShareInterval& share : {seen.masked, seen.tolerable, seen.critical, seen.nonfinite})
        {
            const bool known = !std::isnan(share.share);
            const std::string interval = fmt::format("{} - {}", percent(share.low), percent(share.high));
            cells.insert(cells.end(), {percent(share.share), known ? interval : "-"});
        }
        table.rows.push_back(std::move(cells));
    };
    for (std::size_t l = 0; l < status.layers.size(); ++l)
    {
        const StatusRow row = layer_row(status, 0, l);
        if (row.population > 0) add(status.layers[l], status.struck[l], row);
    }
    add("network", status.struck.back(), network_row(status, 0));
    table.marked = static_cast<std::ptrdiff_t>(table.rows.size()) - 1;
    table.note = "The fault is the sampling unit; layers weigh by the probability that a fault strikes them.";
    const bool early = std::any_of(status.parts.begin(), status.parts.end(),
                                   [](const StratumPart& part) { return part.done == 0; });
    if (early) table.note += " The network's shares are those of the layers that have a fault already.";
    return table;
}

/// Whole above ten, else with two digits.
std::string rate_number(double rate)
{
    return rate >= 10 ? fmt::format("{:.0f}", rate) : fmt::format("{:.2g}", rate);
}

std::string rate_text(const CampaignStatus& status)
{
    if (status.since_start.seconds <= 0 || status.since_start.faults_per_second <= 0) return {};
    return fmt::format("{} faults/s over the last {}, {} since the start",
                       rate_number(status.recent.faults_per_second), duration_text(status.recent.seconds),
                       rate_number(status.since_start.faults_per_second));
}

std::string left_text(const CampaignStatus& status)
{
    if (!status.seconds_left) return {};
    std::string text = fmt::format("about {} left", duration_text(*status.seconds_left));
    if (status.description->deadline)
    {
        const auto until = static_cast<double>(*status.description->deadline - status.now);
        text += fmt::format(
            *status.seconds_left <= until ? " (deadline in {})" : " (more than the deadline in {})",
            duration_text(until));
    }
    return text;
}

/// Lines about the journal's health.
void add_journal(std::string& text, const CampaignStatus& status)
{
    text += fmt::format("journal: {} segment(s) of {} start(s)", status.segments, status.runs);
    if (status.last_segment)
        text += fmt::format(", the last {} ago", duration_text(seconds_ago(status, *status.last_segment)));
    if (status.unfinished > 0) text += fmt::format(", {} unfinished", status.unfinished);
    if (!status.damaged.empty())
        text += fmt::format(", {} damaged: computed again by the next start", status.damaged.size());
    if (status.chunks_again > 0)
        text += fmt::format(", {} chunk(s) with screens that were given up", status.chunks_again);
    if (status.chunks_outdated > 0)
        text += fmt::format(
            ", {} chunk(s) of an earlier version with outcomes that may be wrong: computed again by the next "
            "start",
            status.chunks_outdated);
    text += "\n";
    for (std::size_t i = 0; i < std::min(kMostNamed, status.damaged.size()); ++i)
        text += fmt::format("  {}\n", status.damaged[i]);
}

std::string head_text(const CampaignStatus& status, const std::filesystem::path& out)
{
    std::string text = fmt::format("{}: {}", out.string(), to_string(status.state));
    if (const auto& d = status.description)
    {
        if (status.state == CampaignState::stopped) text += fmt::format(" by {}", d->reason);
        text += fmt::format("; campaign '{}', start {} at {}: {}", status.name, d->starts,
                            utc_timestamp(d->started), d->placement);
    }
    text += "\n";
    if (status.state == CampaignState::silent)
        text +=
            "Nothing was saved for long, and the campaign has not said that it ended: killed, or busy with a "
            "very "
            "long chunk.\n";
    if (status.faults_planned > 0)
    {
        text += fmt::format("{}/{} faults ({:.1f} %)", status.faults_done, status.faults_planned,
                            100 * share_done(status));
        if (status.chunks_planned > 0)
            text += fmt::format(", {}/{} chunks", status.chunks_done, status.chunks_planned);
        for (const std::string& more : {rate_text(status), left_text(status)})
            text += more.empty() ? "" : ", " + more;
        text += "\n";
    }
    if (status.segments > 0 || !status.damaged.empty()) add_journal(text, status);
    if (status.stop_file)
        text += "A file STOP is there: the campaign stops, and stays so until it is removed.\n";
    if (status.lock)
        text += fmt::format("lock ({} old): {}\n",
                            duration_text(seconds_ago(status, status.lock_time.value_or(0))), *status.lock);
    if (status.last_error) text += fmt::format("last error: {}\n", *status.last_error);
    for (const std::string& trouble : status.trouble)
        text += fmt::format("not readable: {}\n", trouble);
    if (!status.files.empty())
    {
        text += "files:";
        for (const auto& file : status.files)
            text += " " + file.filename().string();
        text += "\n";
    }
    return text;
}

}  // namespace

std::size_t tolerance_index(const CampaignStatus& status, const StatusView& view)
{
    if (!view.tolerance || status.tolerances.empty()) return 0;
    const auto found = std::find(status.tolerances.begin(), status.tolerances.end(), *view.tolerance);
    if (found == status.tolerances.end())
    {
        std::string known;
        for (const double tolerance : status.tolerances)
            known += fmt::format("{}{}", known.empty() ? "" : ", ", tolerance);
        throw JobError("{} is none of the campaign's tolerances: {}", *view.tolerance, known);
    }
    return static_cast<std::size_t>(found - status.tolerances.begin());
}

std::string status_text(const CampaignStatus& status, const std::filesystem::path& out,
                        const StatusView& view)
{
    const std::size_t tolerance = tolerance_index(status, view);
    // Names, the lock and the last error are what others wrote.
    std::string text = printable(head_text(status, out), TextLines::many);
    if (status.parts.empty()) return text;
    if (!status.struck.empty()) return text + "\n" + render_text(struck_table(status));
    text += "\n" +
            render_text(parts_table(status, tolerance, view.all_strata || status.strata.size() <= kMostRows));
    text += "\n" + render_text(network_table(status));
    return text;
}

}  // namespace flipstorm
