#include "hdf5_schema/transient_campaign_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

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

/// Where the fault strikes.
void check_site(const H5Reader& in, const TransientCampaignRecord& campaign, std::size_t i)
{
    constexpr std::uint8_t kLastGeometry = 7;
    constexpr std::uint8_t kNoBit = 255;
    constexpr std::uint8_t kWordBits = 32;
    const TransientHeader& header = campaign.header;
    const TransientFaultTable& faults = campaign.faults;
    const LayerTable& layers = header.campaign.layers;
    const std::int32_t stratum = faults.stratum[i];
    const auto l = static_cast<std::size_t>(faults.layer[i]);  // beyond the table if negative
    FS_CHECK(FileError,
             stratum >= 0 && static_cast<std::size_t>(stratum) < header.campaign.strata.size() &&
                 l < layers.size(),
             "'{}': fault {} (stratum {}, layer {}) is outside the network", in.file_name(), i, stratum,
             faults.layer[i]);
    const std::int32_t of_layer = header.campaign.strata.layer[static_cast<std::size_t>(stratum)];
    FS_CHECK(FileError, of_layer < 0 || of_layer == faults.layer[i],
             "'{}': fault {} of layer {} lies in stratum {}, of layer {}", in.file_name(), i, faults.layer[i],
             stratum, of_layer);
    FS_CHECK(FileError, !std::isnan(faults.value[i]), "'{}': fault {} has the error value {}", in.file_name(),
             i, faults.value[i]);
    const auto height = static_cast<std::uint64_t>(header.layer_height[l]);
    const auto width = static_cast<std::uint64_t>(header.layer_width[l]);
    if (in_feature_maps(header))
    {
        FS_CHECK(
            FileError,
            faults.geometry[i] <= kLastGeometry && faults.row[i] >= 0 && faults.column[i] >= 0 &&
                faults.height[i] > 0 && faults.width[i] > 0 &&
                static_cast<std::uint64_t>(faults.row[i]) + static_cast<std::uint64_t>(faults.height[i]) <=
                    height &&
                static_cast<std::uint64_t>(faults.column[i]) + static_cast<std::uint64_t>(faults.width[i]) <=
                    width,
            "'{}': fault {} (geometry {}) lies outside the {} x {} outputs of layer '{}'", in.file_name(), i,
            faults.geometry[i], height, width, layers.name[l]);
        return;
    }
    const auto outputs = static_cast<std::uint64_t>(layers.out_channels[l]) * height * width;
    const auto depth = layers.weights[l] / static_cast<std::uint64_t>(layers.out_channels[l]);
    FS_CHECK(FileError,
             faults.element[i] < outputs && faults.step[i] < depth &&
                 (faults.bit[i] < kWordBits || faults.bit[i] == kNoBit),
             "'{}': fault {} strikes bit {} of step {} of output {}; layer '{}' has {} steps and {} outputs",
             in.file_name(), i, faults.bit[i], faults.step[i], faults.element[i], layers.name[l], depth,
             outputs);
}

/// Images that a fault strikes and that are classified correctly without it.
std::uint64_t golden_correct_of(const H5Reader& in, const TransientCampaignRecord& campaign, std::size_t i)
{
    const CampaignHeader& header = campaign.header.campaign;
    const std::uint64_t listed = campaign.header.images_listed;
    const std::int32_t* images = campaign.faults.image.data() + i * listed;
    if (listed == 1 && images[0] == -1) return header.golden_correct;
    std::uint64_t correct = 0;
    for (std::uint64_t k = 0; k < listed; ++k)
    {
        const auto image = static_cast<std::size_t>(images[k]);
        FS_CHECK(FileError, images[k] >= 0 && image < header.images && (k == 0 || images[k] > images[k - 1]),
                 "'{}': fault {} strikes image {}, after {} others, of {} images", in.file_name(), i,
                 images[k], k, header.images);
        correct += header.golden.top1[image] == header.golden.label[image] ? 1U : 0U;
    }
    return correct;
}

/// What it did.
void check_outcome(const H5Reader& in, const TransientCampaignRecord& campaign, std::size_t i)
{
    constexpr double kRounding = 1e-9;
    const std::uint64_t struck = campaign.header.images_per_fault;
    const TransientOutcomeTable& outcomes = campaign.outcomes;
    const std::uint64_t classes =
        std::uint64_t{outcomes.masked[i]} + outcomes.tolerable[i] + outcomes.mismatches[i];
    FS_CHECK(FileError,
             outcomes.evaluated[i] == struck && classes == struck &&
                 outcomes.nonfinite[i] <= outcomes.mismatches[i] && outcomes.correct[i] <= struck,
             "'{}': the outcome of fault {} is impossible: of {} images {} masked, {} tolerable, {} "
             "mismatches, {} not finite, {} "
             "correct; each fault strikes {}",
             in.file_name(), i, outcomes.evaluated[i], outcomes.masked[i], outcomes.tolerable[i],
             outcomes.mismatches[i], outcomes.nonfinite[i], outcomes.correct[i], struck);
    const std::uint64_t golden = golden_correct_of(in, campaign, i);
    const double drop = (static_cast<double>(golden) - static_cast<double>(outcomes.correct[i])) /
                        static_cast<double>(struck);
    FS_CHECK(
        FileError, std::abs(outcomes.drop[i] - drop) <= kRounding,
        "'{}': fault {} has a drop of {}; {} images correct of {} struck, {} without the fault, make it {}",
        in.file_name(), i, outcomes.drop[i], outcomes.correct[i], struck, golden, drop);
}

/// What the header has beside that of all campaigns.
void check_transient_header(const H5Reader& in, const TransientHeader& header)
{
    const LayerTable& layers = header.campaign.layers;
    in.expect(header.layer_height.size() == layers.size() && header.layer_width.size() == layers.size(),
              "the columns of '/layers' differ in length");
    for (std::size_t l = 0; l < layers.size(); ++l)
    {
        in.expect(header.layer_height[l] > 0 && header.layer_width[l] > 0,
                  fmt::format("layer '{}' has {} x {} outputs", layers.name[l], header.layer_height[l],
                              header.layer_width[l]));
    }
    const std::uint64_t images = header.campaign.images;
    const bool all = header.images_per_fault == images;
    in.expect(header.images_per_fault > 0 && header.images_per_fault <= images,
              fmt::format("'images_per_fault' is {} of {} images", header.images_per_fault, images));
    in.expect(header.images_listed == (all ? 1 : header.images_per_fault),
              fmt::format("'/faults/image' lists {} images, each fault strikes {}", header.images_listed,
                          header.images_per_fault));
}

void check(const H5Reader& in, const TransientCampaignRecord& campaign)
{
    const TransientHeader& header = campaign.header;
    check_campaign_header(in, header.campaign);
    check_transient_header(in, header);
    const std::size_t rows = campaign.faults.size();
    for_each_column(header, campaign.faults, campaign.outcomes,
                    [&](const char* path, const auto& column, std::uint64_t width) {
                        const std::uint64_t per_row = std::max<std::uint64_t>(1, width);
                        in.expect(column.size() / per_row == rows && column.size() % per_row == 0,
                                  fmt::format("'{}' has {} values, {} times {} are expected", path,
                                              column.size(), rows, per_row));
                    });
    for (std::size_t i = 0; i < rows; ++i)
    {
        check_site(in, campaign, i);
        check_outcome(in, campaign, i);
    }
    check_strata_counts(in, header.campaign, campaign.faults.stratum);
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
