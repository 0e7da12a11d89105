#include "hdf5_schema/transient_campaign_file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/error.hpp"
#include "hdf5_schema/campaign_header.hpp"
#include "hdf5_schema/row_file.hpp"

namespace flipstorm
{
namespace
{

bool in_feature_maps(const TransientHeader& header)
{
    return header.campaign.target == "feature_maps";
}

/// Calls `visit(path, column, width)` for every column that grows with the faults.
template<class Faults, class Outcomes, class Visit>
void for_each_column(const TransientHeader& header, Faults& faults, Outcomes& outcomes, Visit&& visit)
{
    visit("/faults/stratum", faults.stratum, 0U);
    visit("/faults/layer", faults.layer, 0U);
    visit("/faults/value", faults.value, 0U);
    visit("/faults/image", faults.image, header.images_listed);
    if (in_feature_maps(header))
    {
        visit("/faults/geometry", faults.geometry, 0U);
        visit("/faults/row", faults.row, 0U);
        visit("/faults/column", faults.column, 0U);
        visit("/faults/height", faults.height, 0U);
        visit("/faults/width", faults.width, 0U);
        visit("/faults/channel_mask", faults.channel_mask, header.channel_bytes);
        visit("/faults/position_mask", faults.position_mask, header.position_bytes);
    }
    else
    {
        visit("/faults/element", faults.element, 0U);
        visit("/faults/step", faults.step, 0U);
        visit("/faults/bit", faults.bit, 0U);
    }
    visit("/outcomes/evaluated", outcomes.evaluated, 0U);
    visit("/outcomes/correct", outcomes.correct, 0U);
    visit("/outcomes/mismatches", outcomes.mismatches, 0U);
    visit("/outcomes/nonfinite", outcomes.nonfinite, 0U);
    visit("/outcomes/masked", outcomes.masked, 0U);
    visit("/outcomes/tolerable", outcomes.tolerable, 0U);
    visit("/outcomes/drop", outcomes.drop, 0U);
}

void check_fault(const H5Reader& in, const TransientCampaignRecord& campaign, std::size_t i)
{
    const TransientHeader& header = campaign.header;
    const TransientFaultTable& faults = campaign.faults;
    const LayerTable& layers = header.campaign.layers;
    const std::int32_t stratum = faults.stratum[i];
    const auto l = static_cast<std::size_t>(faults.layer[i]);  // beyond the table if negative
    in.expect(
        stratum >= 0 && static_cast<std::size_t>(stratum) < header.campaign.strata.size() &&
            l < layers.size(),
        fmt::format("fault {} (stratum {}, layer {}) is outside the network", i, stratum, faults.layer[i]));
    const auto height = static_cast<std::uint64_t>(header.layer_height[l]);
    const auto width = static_cast<std::uint64_t>(header.layer_width[l]);
    if (in_feature_maps(header))
    {
        in.expect(
            faults.row[i] >= 0 && faults.column[i] >= 0 && faults.height[i] > 0 && faults.width[i] > 0 &&
                static_cast<std::uint64_t>(faults.row[i]) + static_cast<std::uint64_t>(faults.height[i]) <=
                    height &&
                static_cast<std::uint64_t>(faults.column[i]) + static_cast<std::uint64_t>(faults.width[i]) <=
                    width,
            fmt::format("fault {} lies outside the {} x {} outputs of layer '{}'", i, height, width,
                        layers.name[l]));
    }
    else
    {
        const auto outputs = static_cast<std::uint64_t>(layers.out_channels[l]) * height * width;
        const auto depth = layers.weights[l] / static_cast<std::uint64_t>(layers.out_channels[l]);
        in.expect(faults.element[i] < outputs && faults.step[i] < depth,
                  fmt::format("fault {} strikes step {} of output {}; layer '{}' has {} steps and {} outputs",
                              i, faults.step[i], faults.element[i], layers.name[l], depth, outputs));
    }
    const TransientOutcomeTable& outcomes = campaign.outcomes;
    in.expect(
        outcomes.evaluated[i] == header.images_per_fault &&
            outcomes.masked[i] + outcomes.tolerable[i] + outcomes.mismatches[i] == outcomes.evaluated[i] &&
            outcomes.nonfinite[i] <= outcomes.mismatches[i] && outcomes.correct[i] <= outcomes.evaluated[i],
        fmt::format("the outcome of fault {} is impossible: of {} images {} masked, {} tolerable, {} "
                    "mismatches, {} not finite, {} correct; each fault strikes {}",
                    i, outcomes.evaluated[i], outcomes.masked[i], outcomes.tolerable[i],
                    outcomes.mismatches[i], outcomes.nonfinite[i], outcomes.correct[i],
                    header.images_per_fault));
}

void check(const H5Reader& in, const TransientCampaignRecord& campaign)
{
    const TransientHeader& header = campaign.header;
    check_campaign_header(in, header.campaign);
    in.expect(header.layer_height.size() == header.campaign.layers.size() &&
                  header.layer_width.size() == header.campaign.layers.size(),
              "the columns of '/layers' differ in length");
    const std::size_t rows = campaign.faults.size();
    for_each_column(header, campaign.faults, campaign.outcomes,
                    [&](const char* path, const auto& column, std::uint64_t width) {
                        const std::uint64_t expected = rows * std::max<std::uint64_t>(1, width);
                        in.expect(column.size() == expected,
                                  fmt::format("'{}' has {} values, {} are expected for {} faults", path,
                                              column.size(), expected, rows));
                    });
    for (std::size_t i = 0; i < rows; ++i)
        check_fault(in, campaign, i);
}

}  // namespace

void TransientOutcomeTable::resize(std::size_t faults)
{
    evaluated.resize(faults);
    correct.resize(faults);
    mismatches.resize(faults);
    nonfinite.resize(faults);
    masked.resize(faults);
    tolerable.resize(faults);
    drop.resize(faults);
}

void write_transient_campaign(const std::filesystem::path& file, const TransientHeader& header,
                              const TransientFaultTable& faults, const TransientOutcomeTable& outcomes,
                              std::uint64_t first_row, std::uint64_t total_rows, MPI_Comm communicator)
{
    std::vector<RowColumn> columns;
    for_each_column(header, faults, outcomes, [&](const char* path, const auto& column, std::uint64_t width) {
        columns.push_back(row_column(path, column, width));
    });
    const auto write_small = [&](H5Writer& out) {
        write_campaign_header(out, header.campaign);
        out.attribute("/", "images_per_fault", header.images_per_fault);
        if (in_feature_maps(header))
            out.attribute("/", "combine", header.combine);
        else
            out.attribute("/", "instruction", header.instruction);
        out.dataset("/layers/height", header.layer_height);
        out.dataset("/layers/width", header.layer_width);
    };
    write_rows_together(file, campaign_spec(), header.campaign.provenance, write_small, columns, first_row,
                        total_rows, communicator);
}

TransientCampaignRecord read_transient_campaign(const std::filesystem::path& file)
{
    const H5Reader in(file, campaign_spec());
    TransientCampaignRecord campaign;
    TransientHeader& header = campaign.header;
    header.campaign = read_campaign_header(in);
    in.expect(header.campaign.target == "feature_maps" || header.campaign.target == "instructions",
              fmt::format("it holds faults in {}; this needs a campaign whose target is feature_maps or "
                          "instructions",
                          header.campaign.target));
    header.images_per_fault = in.attribute<std::uint64_t>("/", "images_per_fault");
    if (in_feature_maps(header))
        header.combine = in.text_attribute("/", "combine");
    else
        header.instruction = in.text_attribute("/", "instruction");
    header.layer_height = in.dataset<std::int32_t>("/layers/height");
    header.layer_width = in.dataset<std::int32_t>("/layers/width");
    const auto second = [&](const char* path) {
        const std::vector<hsize_t> dims = in.dims(path);
        in.expect(dims.size() == 2,
                  fmt::format("'{}' has {} dimensions, two are expected", path, dims.size()));
        return dims[1];
    };
    header.images_listed = second("/faults/image");
    if (in_feature_maps(header))
    {
        header.channel_bytes = second("/faults/channel_mask");
        header.position_bytes = second("/faults/position_mask");
    }
    for_each_column(header, campaign.faults, campaign.outcomes,
                    [&](const char* path, auto& column, std::uint64_t /*width*/) {
                        using Value = typename std::decay_t<decltype(column)>::value_type;
                        column = in.dataset<Value>(path);
                    });
    check(in, campaign);
    return campaign;
}

std::string campaign_target(const std::filesystem::path& file)
{
    return H5Reader(file, campaign_spec()).text_attribute("/", "target");
}

std::int32_t campaign_minor_version(const std::filesystem::path& file)
{
    return H5Reader(file, campaign_spec()).minor_version();
}

}  // namespace flipstorm
