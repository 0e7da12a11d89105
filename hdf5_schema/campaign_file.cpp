#include "hdf5_schema/campaign_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "engine/base/error.hpp"
#include "hdf5_schema/campaign_header.hpp"
#include "hdf5_schema/row_file.hpp"

namespace flipstorm
{
namespace
{

/// The target of which files have columns of their own.
const char* const kProtected = "protected";

/// Calls `visit(path, column)` for every column of the two tables that grow with the faults.
template<class Faults, class Outcomes, class Visit>
void for_each_column(Faults& faults, Outcomes& outcomes, Visit&& visit)
{
    visit("/faults/stratum", faults.stratum);
    visit("/faults/layer", faults.layer);
    visit("/faults/parameter", faults.parameter);
    visit("/faults/out_channel", faults.out_channel);
    visit("/faults/in_channel", faults.in_channel);
    visit("/faults/bit", faults.bit);
    visit("/faults/sign", faults.sign);
    visit("/faults/value_before", faults.value_before);
    visit("/faults/value_after", faults.value_after);
    visit("/faults/mask", faults.mask);
    visit("/faults/effect", faults.effect);
    visit("/outcomes/evaluated", outcomes.evaluated);
    visit("/outcomes/correct", outcomes.correct);
    visit("/outcomes/mismatches", outcomes.mismatches);
    visit("/outcomes/nonfinite", outcomes.nonfinite);
    visit("/outcomes/stopped", outcomes.stopped);
    visit("/outcomes/drop", outcomes.drop);
}

template<class Screens, class Visit>
void for_each_screen_column(Screens& screens, Visit&& visit)
{
    visit("/screen/layer", screens.layer);
    visit("/screen/level", screens.level);
    visit("/screen/kappa", screens.kappa);
    visit("/screen/tau", screens.tau);
    visit("/screen/audit_share", screens.audit_share);
    visit("/screen/pairs", screens.pairs);
    visit("/screen/screened", screens.screened);
    visit("/screen/audited", screens.audited);
    visit("/screen/disagreements", screens.disagreements);
    visit("/screen/bound95", screens.bound95);
    visit("/screen/kept", screens.kept);
}

}  // namespace

void write_campaign_header(H5Writer& out, const CampaignHeader& header)
{
    out.attribute("/", "target", header.target);
    out.attribute("/", "evaluation", header.evaluation);
    out.attribute("/", "fault_model", header.fault_model);
    out.attribute("/", "upset_bits", header.upset_bits);
    if (header.target == kProtected) out.attribute("/", "memory_sha256", header.memory_sha256);
    out.attribute("/", "tolerances", header.tolerances);
    out.attribute("/", "images", header.images);
    out.attribute("/", "golden_correct", header.golden_correct);
    out.attribute("/", "faults_per_second", header.faults_per_second);
    out.attribute("/", "wall_seconds", header.wall_seconds);
    out.dataset("/layers/name", header.layers.name);
    out.dataset("/layers/tensor", header.layers.tensor);
    out.dataset("/layers/weights", header.layers.weights);
    out.dataset("/layers/out_channels", header.layers.out_channels);
    out.dataset("/layers/in_channels", header.layers.in_channels);
    out.dataset("/layers/word_bits", header.layers.word_bits);
    out.dataset("/layers/injected", header.layers.injected);
    out.dataset("/strata/layer", header.strata.layer);
    out.dataset("/strata/bit", header.strata.bit);
    out.dataset("/strata/population", header.strata.population);
    out.dataset("/strata/planned", header.strata.planned);
    out.dataset("/strata/evaluated", header.strata.evaluated);
    // Whoever samples otherwise need not name them.
    StrataTable strata = header.strata;
    if (strata.direction.empty()) strata.direction.assign(strata.size(), -1);
    if (strata.known.empty()) strata.known.assign(strata.size(), 0);
    out.dataset("/strata/direction", strata.direction);
    out.dataset("/strata/known", strata.known);
    if (header.sites.size() > 0)
    {
        out.dataset("/sites/row", header.sites.row);
        out.dataset("/sites/fault", header.sites.fault);
        out.dataset("/sites/layer", header.sites.layer);
        out.dataset("/sites/parameter", header.sites.parameter);
        out.dataset("/sites/mask", header.sites.mask);
    }
    out.dataset("/golden/label", header.golden.label);
    out.dataset("/golden/top1", header.golden.top1);
    out.dataset("/golden/margin", header.golden.margin);
    out.attribute("/screen", "kappa", header.screen.kappa);
    out.attribute("/screen", "tau", header.screen.tau);
    out.attribute("/screen", "screen_bound", header.screen.screen_bound);
    out.attribute("/screen", "pairs", header.screen.pairs);
    out.attribute("/screen", "screened", header.screen.screened);
    out.attribute("/screen", "audited", header.screen.audited);
    out.attribute("/screen", "disagreements", header.screen.disagreements);
    out.attribute("/screen", "bound95", header.screen.bound95);
    for_each_screen_column(header.screen.trials,
                           [&](const char* path, const auto& column) { out.dataset(path, column); });
}

CampaignHeader read_campaign_header(const H5Reader& in)
{
    CampaignHeader header;
    header.provenance = in.provenance();
    header.target = in.text_attribute("/", "target");
    header.evaluation = in.text_attribute("/", "evaluation");
    header.tolerances = in.attributes<double>("/", "tolerances");
    header.images = in.attribute<std::uint64_t>("/", "images");
    header.golden_correct = in.attribute<std::uint64_t>("/", "golden_correct");
    header.faults_per_second = in.attribute<double>("/", "faults_per_second");
    header.wall_seconds = in.attribute<double>("/", "wall_seconds");
    header.layers.name = in.texts("/layers/name");
    header.layers.weights = in.dataset<std::uint64_t>("/layers/weights");
    header.layers.out_channels = in.dataset<std::int32_t>("/layers/out_channels");
    header.layers.in_channels = in.dataset<std::int32_t>("/layers/in_channels");
    header.layers.word_bits = in.dataset<std::int32_t>("/layers/word_bits");
    header.strata.layer = in.dataset<std::int32_t>("/strata/layer");
    header.strata.bit = in.dataset<std::int32_t>("/strata/bit");
    header.strata.population = in.dataset<std::uint64_t>("/strata/population");
    header.strata.planned = in.dataset<std::uint64_t>("/strata/planned");
    header.strata.evaluated = in.dataset<std::uint64_t>("/strata/evaluated");
    header.golden.label = in.dataset<std::int32_t>("/golden/label");
    header.golden.top1 = in.dataset<std::int32_t>("/golden/top1");
    header.golden.margin = in.dataset<float>("/golden/margin");
    header.screen.kappa = in.attribute<double>("/screen", "kappa");
    header.screen.tau = in.attribute<double>("/screen", "tau");
    header.screen.pairs = in.attribute<std::uint64_t>("/screen", "pairs");
    header.screen.screened = in.attribute<std::uint64_t>("/screen", "screened");
    header.screen.audited = in.attribute<std::uint64_t>("/screen", "audited");
    header.screen.disagreements = in.attribute<std::uint64_t>("/screen", "disagreements");
    header.screen.bound95 = in.attribute<double>("/screen", "bound95");
    header.layers.injected.assign(header.layers.size(), 1);
    if (in.minor_version() < 1) return header;
    header.screen.screen_bound = in.attribute<double>("/screen", "screen_bound");
    for_each_screen_column(header.screen.trials, [&](const char* path, auto& column) {
        using Value = typename std::decay_t<decltype(column)>::value_type;
        column = in.dataset<Value>(path);
    });
    if (in.minor_version() < 2) return header;
    header.fault_model = in.text_attribute("/", "fault_model");
    header.upset_bits = in.attribute<std::int32_t>("/", "upset_bits");
    if (header.target == kProtected) header.memory_sha256 = in.text_attribute("/", "memory_sha256");
    header.layers.injected = in.dataset<std::uint8_t>("/layers/injected");
    if (in.minor_version() < 4) return header;
    header.layers.tensor = in.texts("/layers/tensor");
    if (in.minor_version() < 5) return header;
    header.strata.direction = in.dataset<std::int32_t>("/strata/direction");
    header.strata.known = in.dataset<std::uint8_t>("/strata/known");
    if (in.minor_version() < 6 || !in.has("/sites")) return header;
    header.sites.row = in.dataset<std::uint64_t>("/sites/row");
    header.sites.fault = in.dataset<std::uint64_t>("/sites/fault");
    header.sites.layer = in.dataset<std::int32_t>("/sites/layer");
    header.sites.parameter = in.dataset<std::uint64_t>("/sites/parameter");
    header.sites.mask = in.dataset<std::uint32_t>("/sites/mask");
    return header;
}

namespace
{

/// What files before version 1.2 leave unsaid: one bit of each word flipped.
void fill_masks(FaultTable& faults)
{
    faults.effect.assign(faults.bit.size(), 0);
    faults.mask.clear();
    for (const std::uint8_t bit : faults.bit)
        faults.mask.push_back(bit < 32 ? std::uint32_t{1} << bit : 0);
}

bool is_guided(const StrataTable& strata)
{
    return std::any_of(strata.direction.begin(), strata.direction.end(),
                       [](std::int32_t direction) { return direction >= 0; });
}

void check(const H5Reader& in, const CampaignRecord& campaign)
{
    check_campaign_header(in, campaign.header);
    const std::size_t rows = campaign.faults.size();
    for_each_column(campaign.faults, campaign.outcomes, [&](const char* path, const auto& column) {
        in.expect(column.size() == rows,
                  fmt::format("'{}' has {} rows, '/faults/stratum' {}", path, column.size(), rows));
    });
    in.expect(campaign.faults.weight.empty() || campaign.faults.weight.size() == rows,
              fmt::format("'/faults/weight' has {} rows, '/faults/stratum' {}", campaign.faults.weight.size(),
                          rows));
    if (campaign.header.target == kProtected)
    {
        const OutcomeTable& outcomes = campaign.outcomes;
        const std::vector<std::uint8_t>& region = campaign.faults.region;
        in.expect(region.size() == rows && outcomes.detected.size() == rows &&
                      outcomes.corrected.size() == rows && outcomes.changed.size() == rows,
                  "the columns of upsets of a protected memory are not of one length");
        const auto are_flags = [](const std::vector<std::uint8_t>& column) {
            return std::all_of(column.begin(), column.end(), [](std::uint8_t flag) { return flag <= 1; });
        };
        in.expect(
            are_flags(region) && are_flags(outcomes.detected) && are_flags(outcomes.corrected),
            "'/faults/region', '/outcomes/detected' or '/outcomes/corrected' has a category that is none");
    }
    check_weight_faults(in, campaign);
}

}  // namespace

void FaultTable::resize(std::size_t faults)
{
    OutcomeTable none;
    for_each_column(*this, none, [&](const std::string& path, auto& column) {
        if (path.compare(0, 7, "/faults") == 0) column.resize(faults);
    });
}

void OutcomeTable::resize(std::size_t faults)
{
    FaultTable none;
    for_each_column(none, *this, [&](const std::string& path, auto& column) {
        if (path.compare(0, 9, "/outcomes") == 0) column.resize(faults);
    });
}

void write_campaign(const std::filesystem::path& file, const CampaignHeader& header, const FaultTable& faults,
                    const OutcomeTable& outcomes, std::uint64_t first_row, std::uint64_t total_rows,
                    MPI_Comm communicator)
{
    std::vector<RowColumn> columns;
    for_each_column(faults, outcomes, [&](const char* path, const auto& column) {
        columns.push_back(row_column(path, column));
    });
    if (is_guided(header.strata)) columns.push_back(row_column("/faults/weight", faults.weight));
    if (header.target == kProtected)
    {
        columns.push_back(row_column("/faults/region", faults.region));
        columns.push_back(row_column("/faults/word", faults.parameter));
        columns.push_back(row_column("/outcomes/detected", outcomes.detected));
        columns.push_back(row_column("/outcomes/corrected", outcomes.corrected));
        columns.push_back(row_column("/outcomes/changed", outcomes.changed));
    }
    write_rows_together(
        file, campaign_spec(), header.provenance, [&](H5Writer& out) { write_campaign_header(out, header); },
        columns, first_row, total_rows, communicator);
}

CampaignRecord read_campaign(const std::filesystem::path& file, const std::string& target)
{
    const H5Reader in(file, campaign_spec());
    CampaignRecord campaign;
    campaign.header = read_campaign_header(in);
    in.expect(campaign.header.target == target,
              fmt::format("it holds faults in {}; this needs a campaign whose target is {}",
                          campaign.header.target, target));
    for_each_column(campaign.faults, campaign.outcomes, [&](const char* path, auto& column) {
        using Value = typename std::decay_t<decltype(column)>::value_type;
        const std::string_view name = path;
        if (in.minor_version() < 2 && (name == "/faults/mask" || name == "/faults/effect")) return;
        column = in.dataset<Value>(path);
    });
    if (in.minor_version() < 2) fill_masks(campaign.faults);
    if (is_guided(campaign.header.strata)) campaign.faults.weight = in.dataset<double>("/faults/weight");
    if (target == kProtected)
    {
        campaign.faults.region = in.dataset<std::uint8_t>("/faults/region");
        campaign.outcomes.detected = in.dataset<std::uint8_t>("/outcomes/detected");
        campaign.outcomes.corrected = in.dataset<std::uint8_t>("/outcomes/corrected");
        campaign.outcomes.changed = in.dataset<std::uint32_t>("/outcomes/changed");
    }
    check(in, campaign);
    return campaign;
}

}  // namespace flipstorm
