#include "jobs/campaign/kinds/feature_maps.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/evaluate/results_revision.hpp"
#include "jobs/job_file/job_print.hpp"

namespace flipstorm
{
namespace
{

/// numpy.packbits of the listed bits, behind a column's bytes.
void add_packed(std::vector<std::uint8_t>& column, const std::vector<std::int64_t>& bits, std::uint64_t bytes)
{
    const std::size_t first = column.size();
    column.resize(first + bytes, 0);
    for (const std::int64_t bit : bits)
    {
        std::uint8_t& byte = column[first + static_cast<std::size_t>(bit / 8)];
        byte = static_cast<std::uint8_t>(byte | (0x80U >> static_cast<unsigned>(bit % 8)));
    }
}

std::uint64_t packed_bytes(std::int64_t bits)
{
    return static_cast<std::uint64_t>((bits + 7) / 8);
}

}  // namespace

TransientRules FeatureMapKind::rules(const TransientTable& table) const
{
    FeatureMapRules rules;
    for (const std::string& name : table.geometry)
        rules.geometries.push_back(geometry_from(name));
    rules.channel_probability = table.channel_probability;
    if (rules.channel_probability.empty())
    {
        for (const Geometry geometry : rules.geometries)
            rules.channel_probability.push_back(usual_channel_probability(geometry));
    }
    rules.value = error_value(table);
    rules.combine = combine_from(table.combine);
    return rules;
}

std::string FeatureMapKind::describe_rules(const TransientTable& table) const
{
    return fmt::format("Geometries {}; error value {}, combined by \"{}\".", list_text(table.geometry),
                       error_value_text(table), table.combine);
}

void FeatureMapKind::complete(TransientHeader& header, const TransientTable& table, std::int64_t channels,
                              std::int64_t positions) const
{
    header.combine = to_string(combine_from(table.combine));
    header.channel_bytes = packed_bytes(channels);
    const bool scattered =
        std::any_of(table.geometry.begin(), table.geometry.end(),
                    [](const std::string& name) { return geometry_from(name) == Geometry::random; });
    header.position_bytes = scattered ? packed_bytes(positions) : 1;
}

void add_row(TransientFaultTable& table, const TransientHeader& header, const FeatureMapFault& fault)
{
    const FaultRegion& region = fault.region;
    table.value.push_back(fault.value);
    table.geometry.push_back(static_cast<std::uint8_t>(fault.geometry));
    table.row.push_back(static_cast<std::int32_t>(region.row_begin));
    table.column.push_back(static_cast<std::int32_t>(region.column_begin));
    table.height.push_back(static_cast<std::int32_t>(region.row_end - region.row_begin));
    table.width.push_back(static_cast<std::int32_t>(region.column_end - region.column_begin));
    add_packed(table.channel_mask, region.channels, header.channel_bytes);
    add_packed(table.position_mask, region.positions, header.position_bytes);
}

bool may_overflow(const FeatureMapFault& fault)
{
    return is_huge(fault.value);
}

}  // namespace flipstorm
