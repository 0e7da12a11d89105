#include <nlohmann/json.hpp>

#include "analysis/json_text.hpp"
#include "jobs/status/status_print.hpp"
#include "jobs/status/status_rows.hpp"

namespace flipstorm
{
namespace
{

template<class T>
Json or_null(const std::optional<T>& value)
{
    return value ? Json(*value) : Json(nullptr);
}

Json share_json(const ShareEstimate& share)
{
    return {{"share", share.share}, {"low", share.low},       {"high", share.high},
            {"hits", share.hits},   {"faults", share.faults}, {"covered", share.covered}};
}

Json throughput_json(const Throughput& work)
{
    return {{"seconds", work.seconds},
            {"faults_per_second", work.faults_per_second},
            {"macs_per_second", work.macs_per_second}};
}

Json interval_json(const ShareInterval& share)
{
    return {{"share", share.share}, {"low", share.low}, {"high", share.high}};
}

/// Of transient faults in a layer, or in the network.
Json struck_json(const std::string& name, const Struck& struck, const StatusRow& row)
{
    const Vulnerability& seen = struck.seen;
    return {{"layer", name},
            {"probability", struck.probability},
            {"planned", row.planned},
            {"done", row.done},
            {"inferences", seen.inferences},
            {"masked", interval_json(seen.masked)},
            {"tolerable_sdc", interval_json(seen.tolerable)},
            {"critical_sdc", interval_json(seen.critical)},
            {"nonfinite", interval_json(seen.nonfinite)},
            {"avf", interval_json(seen.avf)},
            {"regret", interval_json({seen.regret, seen.regret_low, seen.regret_high})}};
}

Json strata_json(const CampaignStatus& status, std::size_t tolerance)
{
    Json strata = Json::array();
    for (std::size_t s = 0; s < status.strata.size() && !status.parts.empty(); ++s)
    {
        const StatusRow row = stratum_row(status, tolerance, s);
        Json fields{{"layer", layer_name(status, status.strata[s].layer)},
                    {"bit", status.strata[s].bit},
                    {"population", row.population},
                    {"planned", row.planned},
                    {"done", row.done}};
        if (status.struck.empty()) fields["critical"] = share_json(row.critical);
        strata.push_back(std::move(fields));
    }
    return strata;
}

/// Critical shares of the network by tolerance; nothing of transient faults.
Json network_json(const CampaignStatus& status)
{
    Json network = Json::array();
    if (status.parts.empty() || !status.struck.empty()) return network;
    for (std::size_t t = 0; t < status.tolerances.size(); ++t)
    {
        network.push_back(
            {{"tolerance", status.tolerances[t]}, {"critical", share_json(network_row(status, t).critical)}});
    }
    return network;
}

/// Transient faults by layer, the network at the end.
Json transient_json(const CampaignStatus& status)
{
    Json rows = Json::array();
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
        return time ? Json(seconds_ago(status, *time)) : Json(nullptr);
    };
    Json fields{{"out", out.string()},
                {"state", to_string(status.state)},
                {"time", status.now},
                {"job", status.name}};
    if (const auto& d = status.description)
    {
        fields.update(Json{{"stage_sha256", d->stage_sha256},
                           {"started", d->started},
                           {"starts", d->starts},
                           {"ranks", d->ranks},
                           {"placement", d->placement},
                           {"reason", d->reason}});
    }
    fields.update(
        Json{{"faults_done", status.faults_done},
             {"faults_planned", status.faults_planned},
             {"chunks_done", status.chunks_done},
             {"chunks_planned", status.chunks_planned},
             {"chunks_again", status.chunks_again},
             {"chunks_outdated", status.chunks_outdated},
             {"recent", throughput_json(status.recent)},
             {"since_start", throughput_json(status.since_start)},
             {"seconds_left", or_null(status.seconds_left)},
             {"segments", status.segments},
             {"unfinished", status.unfinished},
             {"damaged", status.damaged},
             {"last_segment_age", age(status.last_segment)},
             {"stop_file", status.stop_file},
             {"lock", or_null(status.lock)},
             {"lock_age", age(status.lock_time)},
             {"last_error", or_null(status.last_error)},
             {"trouble", status.trouble},
             {"files", files},
             {"tolerance", status.tolerances.empty() ? Json(nullptr) : Json(status.tolerances[tolerance])},
             {"target", status.target},
             {"strata", strata_json(status, tolerance)},
             {"network", network_json(status)},
             {"transient", transient_json(status)}});
    return json_text(fields);
}

}  // namespace flipstorm
