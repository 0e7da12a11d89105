#pragma once
// What a status says of a stratum, a layer or the network: the rows behind its tables and its JSON. Pure.

#include <algorithm>
#include <string>

#include "jobs/status/campaign_status.hpp"

namespace flipstorm
{

/// Faults of some parts: how far they are, and what they show.
struct StatusRow
{
    std::uint64_t population = 0;
    std::uint64_t planned = 0;
    std::uint64_t done = 0;
    ShareEstimate critical;  ///< not of transient faults
};

/// Row of the parts that `wanted` accepts. \param tolerance  index into `tolerances`
template<class Wanted>
[[nodiscard]] StatusRow row_of(const CampaignStatus& status, std::size_t tolerance, Wanted&& wanted)
{
    StatusRow row;
    for (const StratumPart& part : status.parts)
    {
        if (!wanted(part)) continue;
        row.population += part.population;
        row.planned += part.planned;
        row.done += part.done;
    }
    if (status.struck.empty()) row.critical = estimate_parts(status, tolerance, wanted);
    return row;
}

[[nodiscard]] inline StatusRow stratum_row(const CampaignStatus& status, std::size_t tolerance,
                                           std::size_t stratum)
{
    return row_of(status, tolerance, [=](const StratumPart& part) { return part.stratum == stratum; });
}

[[nodiscard]] inline StatusRow layer_row(const CampaignStatus& status, std::size_t tolerance,
                                         std::size_t layer)
{
    return row_of(status, tolerance, [=](const StratumPart& part) { return part.layer == layer; });
}

[[nodiscard]] inline StatusRow network_row(const CampaignStatus& status, std::size_t tolerance)
{
    return row_of(status, tolerance, [](const StratumPart&) { return true; });
}

/// Name of a stratum's layer; "all" for −1.
[[nodiscard]] inline std::string layer_name(const CampaignStatus& status, std::int32_t layer)
{
    return layer < 0 ? "all" : status.layers[static_cast<std::size_t>(layer)];
}

/// Seconds between an instant and the look.
[[nodiscard]] inline double seconds_ago(const CampaignStatus& status, double time)
{
    return std::max(0.0, static_cast<double>(status.now) - time);
}

}  // namespace flipstorm
