#include <fmt/format.h>

#include "jobs/status/json_text.hpp"
#include "jobs/status/status_print.hpp"
#include "jobs/status/status_rows.hpp"

namespace flipstorm
{
namespace
{

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

std::string interval_json(const ShareInterval& share)
{
    return json_object({{"share", json(share.share)}, {"low", json(share.low)}, {"high", json(share.high)}});
}

/// Of transient faults in a layer, or in the network.
std::string struck_json(const std::string& name, const Struck& struck, const StatusRow& row)
{
    const Vulnerability& seen = struck.seen;
    return json_object({{"layer", json(name)},
                        {"probability", json(struck.probability)},
                        {"planned", json(row.planned)},
                        {"done", json(row.done)},
                        {"inferences", json(seen.inferences)},
                        {"masked", interval_json(seen.masked)},
                        {"tolerable_sdc", interval_json(seen.tolerable)},
                        {"critical_sdc", interval_json(seen.critical)},
                        {"nonfinite", interval_json(seen.nonfinite)},
                        {"avf", interval_json(seen.avf)},
                        {"regret", interval_json({seen.regret, seen.regret_low, seen.regret_high})}});
}

std::vector<std::string> strata_json(const CampaignStatus& status, std::size_t tolerance)
{
    std::vector<std::string> strata;
    for (std::size_t s = 0; s < status.strata.size() && !status.parts.empty(); ++s)
    {
        const StatusRow row = stratum_row(status, tolerance, s);
        JsonFields fields{{"layer", json(layer_name(status, status.strata[s].layer))},
                          {"bit", std::to_string(status.strata[s].bit)},
                          {"population", json(row.population)},
                          {"planned", json(row.planned)},
                          {"done", json(row.done)}};
        if (status.struck.empty()) fields.emplace_back("critical", share_json(row.critical));
        strata.push_back(json_object(fields));
    }
    return strata;
}

/// Critical shares of the network by tolerance; nothing of transient faults.
std::vector<std::string> network_json(const CampaignStatus& status)
{
    std::vector<std::string> network;
    if (status.parts.empty() || !status.struck.empty()) return network;
    for (std::size_t t = 0; t < status.tolerances.size(); ++t)
    {
        network.push_back(json_object({{"tolerance", json(status.tolerances[t])},
                                       {"critical", share_json(network_row(status, t).critical)}}));
    }
    return network;
}

/// Transient faults by layer, the network at the end.
std::vector<std::string> transient_json(const CampaignStatus& status)
{
    std::vector<std::string> rows;
    if (status.struck.empty()) return rows;
    for (std::size_t l = 0; l < status.layers.size(); ++l)
    {
        const StatusRow row = layer_row(status, 0, l);
        if (row.population > 0) rows.push_back(struck_json(status.layers[l], status.struck[l], row));
    }
    rows.push_back(struck_json("network", status.struck.back(), network_row(status, 0)));
    return rows;
}

}  // namespace

std::string status_json(const CampaignStatus& status, const std::filesystem::path& out,
                        const StatusView& view)
{
    const std::size_t tolerance = tolerance_index(status, view);
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
        {"chunks_outdated", json(status.chunks_outdated)},
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
        {"target", json(status.target)},
        {"strata", json_array(strata_json(status, tolerance))},
        {"network", json_array(network_json(status))},
        {"transient", json_array(transient_json(status))}};
    fields.insert(fields.end(), rest.begin(), rest.end());
    return json_object(fields) + "\n";
}

}  // namespace flipstorm
