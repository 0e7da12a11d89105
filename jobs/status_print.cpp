#include "jobs/status_print.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/tables.hpp"
#include "engine/base/error.hpp"
#include "engine/base/printable_text.hpp"
#include "engine/base/timing.hpp"
#include "jobs/json_text.hpp"
#include "jobs/progress.hpp"

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

double seconds_ago(const CampaignStatus& status, double time)
{
    return std::max(0.0, static_cast<double>(status.now) - time);
}

/// Faults of some parts: how far they are, and what they show.
struct Row
{
    std::uint64_t population = 0;
    std::uint64_t planned = 0;
    std::uint64_t done = 0;
    ShareEstimate critical;
};

template<class Wanted>
Row row_of(const CampaignStatus& status, std::size_t tolerance, Wanted&& wanted)
{
    Row row;
    for (const StratumPart& part : status.parts)
    {
        if (!wanted(part)) continue;
        row.population += part.population;
        row.planned += part.planned;
        row.done += part.done;
    }
    row.critical = estimate_parts(status, tolerance, wanted);
    return row;
}

Row stratum_row(const CampaignStatus& status, std::size_t tolerance, std::size_t stratum)
{
    return row_of(status, tolerance, [=](const StratumPart& part) { return part.stratum == stratum; });
}

std::string layer_name(const CampaignStatus& status, std::int32_t layer)
{
    return layer < 0 ? "all" : status.layers[static_cast<std::size_t>(layer)];
}

/// The cells of a row behind its names.
std::vector<std::string> cells(const Row& row)
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
    const auto add = [&](std::vector<std::string> names, const Row& row) {
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
        add({status.layers[l]},
            row_of(status, tolerance, [l](const StratumPart& part) { return part.layer == l; }));
    }
    table.note = "Strata of a layer reweighted by population; --strata shows each.";
    return table;
}

Row network_row(const CampaignStatus& status, std::size_t tolerance)
{
    return row_of(status, tolerance, [](const StratumPart&) { return true; });
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

std::string share_json(const ShareEstimate& share)
{
    return json_object({{"share", json(share.share)},
                        {"low", json(share.low)},
                        {"high", json(share.high)},
                        {"hits", json(share.hits)},
                        {"faults", json(share.faults)},
                        {"covered", json(share.covered)}});
}

std::string json_or_null(const std::optional<double>& value)
{
    return value ? json(*value) : "null";
}

std::string json_or_null(const std::optional<std::string>& value)
{
    return value ? json(*value) : "null";
}

std::string throughput_json(const Throughput& work)
{
    return json_object({{"seconds", json(work.seconds)},
                        {"faults_per_second", json(work.faults_per_second)},
                        {"macs_per_second", json(work.macs_per_second)}});
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
    text += "\n" +
            render_text(parts_table(status, tolerance, view.all_strata || status.strata.size() <= kMostRows));
    text += "\n" + render_text(network_table(status));
    return text;
}

std::string status_json(const CampaignStatus& status, const std::filesystem::path& out,
                        const StatusView& view)
{
    const std::size_t tolerance = tolerance_index(status, view);
    std::vector<std::string> strata;
    for (std::size_t s = 0; s < status.strata.size() && !status.parts.empty(); ++s)
    {
        const Row row = stratum_row(status, tolerance, s);
        strata.push_back(json_object({{"layer", json(layer_name(status, status.strata[s].layer))},
                                      {"bit", std::to_string(status.strata[s].bit)},
                                      {"population", json(row.population)},
                                      {"planned", json(row.planned)},
                                      {"done", json(row.done)},
                                      {"critical", share_json(row.critical)}}));
    }
    std::vector<std::string> network;
    for (std::size_t t = 0; t < status.tolerances.size() && !status.parts.empty(); ++t)
    {
        network.push_back(json_object({{"tolerance", json(status.tolerances[t])},
                                       {"critical", share_json(network_row(status, t).critical)}}));
    }
    std::vector<std::string> files;
    for (const auto& file : status.files)
        files.push_back(file.filename().string());
    const auto age = [&](const std::optional<double>& time) {
        return time ? json(seconds_ago(status, *time)) : "null";
    };
    JsonFields fields{{"out", json(out.string())},
                      {"state", json(std::string(to_string(status.state)))},
                      {"time", json(static_cast<std::uint64_t>(status.now))},
                      {"job", json(status.name)}};
    if (const auto& d = status.description)
    {
        fields.insert(fields.end(), {{"stage_sha256", json(d->stage_sha256)},
                                     {"started", json(static_cast<std::uint64_t>(d->started))},
                                     {"starts", json(d->starts)},
                                     {"ranks", json(d->ranks)},
                                     {"placement", json(d->placement)},
                                     {"reason", json(d->reason)}});
    }
    const std::vector<std::pair<std::string, std::string>> rest{
        {"faults_done", json(status.faults_done)},
        {"faults_planned", json(status.faults_planned)},
        {"chunks_done", json(status.chunks_done)},
        {"chunks_planned", json(status.chunks_planned)},
        {"chunks_again", json(status.chunks_again)},
        {"recent", throughput_json(status.recent)},
        {"since_start", throughput_json(status.since_start)},
        {"seconds_left", json_or_null(status.seconds_left)},
        {"segments", json(std::uint64_t{status.segments})},
        {"unfinished", json(std::uint64_t{status.unfinished})},
        {"damaged", json_list(status.damaged)},
        {"last_segment_age", age(status.last_segment)},
        {"stop_file", status.stop_file ? "true" : "false"},
        {"lock", json_or_null(status.lock)},
        {"lock_age", age(status.lock_time)},
        {"last_error", json_or_null(status.last_error)},
        {"trouble", json_list(status.trouble)},
        {"files", json_list(files)},
        {"tolerance", status.tolerances.empty() ? "null" : json(status.tolerances[tolerance])},
        {"strata", json_array(strata)},
        {"network", json_array(network)}};
    fields.insert(fields.end(), rest.begin(), rest.end());
    return json_object(fields) + "\n";
}

}  // namespace flipstorm
